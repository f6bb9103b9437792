"""Recognise what lies where a file should be: a web page, or the pointer that Git LFS left in its place."""

from __future__ import annotations

_LFS = b"version https://git-lfs.github.com/spec/"
_PAGES = (b"<!doctype html", b"<html", b"<head")


def what_instead(first_bytes: bytes) -> str | None:
    """Say what a file is that is neither image nor weights, worded to follow its name, and what to do.

    Args:
        first_bytes: the beginning of the file; 512 bytes are enough.

    Returns:
        What it is and what helps, or None where the content is none of these.

    >>> print(what_instead(b"version https://git-lfs.github.com/spec/v1\\noid sha256:4d7a"))
    is a Git LFS pointer and not the file itself: run `git lfs pull` where it was cloned
    >>> what_instead(b"\\x89PNG\\r\\n") is None
    True
    """
    if first_bytes.startswith(_LFS):
        return "is a Git LFS pointer and not the file itself: run `git lfs pull` where it was cloned"
    text = first_bytes.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<?xml"):  # XHTML; SVG begins so too
        text = text.partition(b"?>")[2].lstrip()
    while text.startswith(b"<!--"):
        text = text.partition(b"-->")[2].lstrip()
    if text.startswith(_PAGES):
        return "is a web page (HTML) and not the file itself: fetch it again, by the link for downloading it"
    return None
