"""Read and write registrations: ``HOME/datasets/NAME.json`` with the folders and, per file, what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from srbench.datasets.base import SetDomain
from srbench.errors import BadInput
from srbench.support.home import cannot_write, home, write_atomic
from srbench.support.scales import SCALE


class RegisteredFile(BaseModel):
    """Hold one file as it was when it was registered; ``mtime_ns`` only spares reading it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: Path
    sha256: str
    width: int
    height: int
    bytes: int
    mtime_ns: int


class RegisteredImage(BaseModel):
    """Hold the files of one image."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    lr: RegisteredFile
    hr: RegisteredFile | None


class Made(BaseModel):
    """Hold how the LR images of a set were made of photographs.

    Attributes:
        degradation: what tables call it, such as ``ntire-like``.
        scale: the factor between HR and LR.
        settings: its numbers.
        photographs: the folder of the HR images it was made of, or the data set.
        sources: by image, the photograph it shows, where its pixels do not tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    degradation: str
    scale: int
    settings: dict[str, Any]
    photographs: str
    sources: dict[str, str] = Field(default_factory=dict)


class Registration(BaseModel):
    """Hold where the images of a set lie and what they were.

    Attributes:
        domain: the degradation of a set that no manifest describes; None where one does.
        made: how srbench made the LR images; None for those somebody had.
        scale: how many times larger HR is; a name has a registration for each scale.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    lr: Path
    hr: Path | None
    content_hash: str
    images: dict[str, RegisteredImage]
    domain: SetDomain | None = None
    made: Made | None = None
    scale: int = SCALE

    def files(self) -> list[RegisteredFile]:
        """Return every file, LR and HR."""
        return [file for image in self.images.values() for file in (image.lr, image.hr) if file]


def path_of(name: str, scale: int = SCALE) -> Path:
    """Return where the registration of a set is kept."""
    folder = home() / "datasets"
    return (folder if scale == SCALE else folder / f"x{scale}") / f"{name}.json"


def registered_names(scale: int = SCALE) -> list[str]:
    """Return the names under which something is registered at a scale, sorted."""
    return sorted(
        file.stem for file in path_of("*", scale).parent.glob("*.json") if not file.name.startswith(".")
    )


def read_registration(name: str, scale: int = SCALE) -> Registration | None:
    """Return what was registered under a name at a scale. BadInput where that is damaged."""
    path = path_of(name, scale)
    try:
        return Registration.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from error
    except ValidationError as error:
        raise BadInput(
            f"{path} is damaged: register again with `srbench datasets add {name} --lr DIR` (and --hr DIR "
            f"for pairs), or `srbench datasets remove {name}`"
        ) from error


def write_registration(registration: Registration) -> None:
    """Write a registration, replacing an earlier one. RunFailed where it cannot be written."""
    target = path_of(registration.name, registration.scale)
    with cannot_write(target):
        # Without the defaults, a registration of a published set is what it always was.
        write_atomic(target, registration.model_dump_json(indent=1, exclude_defaults=True) + "\n")


def remove_registration(name: str, scale: int = SCALE) -> None:
    """Forget a registration; the images stay. BadInput where nothing is registered under the name."""
    target = path_of(name, scale)
    with cannot_write(target):
        if not target.is_file():
            raise BadInput(f"{name} is not registered: `srbench datasets` lists what is")
        target.unlink()
