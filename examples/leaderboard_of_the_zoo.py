"""Measure three models of the zoo, clean and under random noise, and print the leaderboard."""

import srbench

records = srbench.evaluate(
    ["bicubic", "esrgan-mini", "rsr-mini"],  # "all" for every installed model
    datasets=["ntire-mini", "aim-mini"],
    attacks=["none", "random"],
    metrics=["psnr", "ssim"],
    limit=2,  # images of each set, to be quick; a leaderboard takes them all
)
print(records[["model", "dataset", "image", "attack", "psnr", "ssim"]].to_string())

board = srbench.leaderboard(records)  # in a notebook, `board` alone shows it as a table
print(board)
print(board.to_frame().query("dataset == 'average' and metric == 'psnr'")[["model", "attack", "value"]])
