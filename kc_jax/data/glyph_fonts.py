"""Fonts that draw glyph datasets: matplotlib's, known by hashes, or those of Debian's packages.

No font is kept here: all are read where they are installed, and keep their licences.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import pathlib
from collections.abc import Callable, Mapping, Sequence

import matplotlib

from kc_jax.errors import UserError

FONTS_FROM = "matplotlib 3.11.2"
FACE_SHA256 = {
    "DejaVuSans": "3fdf69cabf06049ea70a00b5919340e2ce1e6d02b0cc3c4b44fb6801bd1e0d22",
    "DejaVuSans-Bold": "b184b89e3c1075f22f6b71575b6fc20d4972b3cfd3b23322ca6fd596dcaef167",
    "DejaVuSans-BoldOblique": "6edf0283160186af451cbee71e7b845f2e4cabf264bb992ce668c83c25465e6f",
    "DejaVuSans-Oblique": "ccdf74b350f11fd3dd5774de50e5e6346a1a5da1f5b7d5fb83590665e97a5213",
    "DejaVuSansMono": "602ec86b8948cfcd956482fe64f94c36c867770149ef2f791d4613f443bcecb3",
    "DejaVuSansMono-Bold": "baada9a5172fe20886251aff0433fc38461912d5daf07287e7bee56620a8da96",
    "DejaVuSansMono-BoldOblique": (
        "a69081c15c76c827e0a27a5a7f5c74b6135c843499955495ffa8c20d3a98288b"
    ),
    "DejaVuSansMono-Oblique": "28052813f7a709fc89f52d192dc995ef4f0fdc5c3d7b73a49d6849b1916d0cd0",
    "DejaVuSerif": "107244956e9962b9e96faccdc551825e0ae0898ae13737133e1b921a2fd35ffa",
    "DejaVuSerif-Bold": "c3753f2ed6bc673f15846dc45addbeb3b9c872f32fb18fd53a21f1bef1ed7676",
    "DejaVuSerif-BoldItalic": "d93efec7a9d2e826768d1a2ee95b95870e15e29599a84f3484af1de1cec2e181",
    "DejaVuSerif-Italic": "3e7994fbc54fa10ce3352a42d548fadd7d9cadb69cb1109bc9d960f6dac57f04",
    "STIXGeneral": "167378031e2dddc6216d67819c9260e9a06ffc4c478e4e23cb98a6fd44b183c2",
    "STIXGeneralBol": "e8533dc7083fa346bda1933d60ea4a83b67d0945bceaf1b3541f82b4a0e2c6a0",
    "STIXGeneralBolIta": "98788fd4ba48dfbb2bd026c0e20a247a8b06c7372879628b7a6bb0d5bb09736c",
    "STIXGeneralItalic": "6cfcb333d22b7c3c623bdfd40174f14c85c3d6731ca6166c1edc80140eae8527",
}


class FontMismatchError(UserError, ValueError):
    """Fonts on this machine do not draw the masks that the class list was made from."""


def font_directory() -> pathlib.Path:
    """Returns the folder of the TrueType fonts that matplotlib installed."""
    return pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def verified_fonts(directory: pathlib.Path | None = None) -> dict[str, pathlib.Path]:
    """Finds the 16 font files and checks their contents.

    Args:
      directory: where the `.ttf` files lie; matplotlib's own folder when None.

    Returns:
      Font file of every face, in the order of `FACE_SHA256`.

    Raises:
      FontMismatchError: a file is missing, or is not the file the class list was made from.
    """
    directory = font_directory() if directory is None else pathlib.Path(directory)
    fonts = {face: directory / f"{face}.ttf" for face in FACE_SHA256}
    for face, font in fonts.items():
        expected = FACE_SHA256[face]
        found = "no such file"
        if font.is_file():
            digest = hashlib.sha256(font.read_bytes()).hexdigest()
            found = f"sha256 {digest}"
        if found != f"sha256 {expected}":
            raise FontMismatchError(
                f"font file {font}: expected {face}.ttf as {FONTS_FROM} installs it "
                f"(sha256 {expected}), found {found}; install it with "
                f"`pip install --force-reinstall {FONTS_FROM.replace(' ', '==')}`"
            )
    return fonts


# What a package's files are called; weights other than these are in packages that are not needed.
DEBIAN_PACKAGES = {
    "fonts-ancient-scripts": ("[!S]*_hint.ttf",),
    "fonts-babelstone-han": ("BabelStoneHan.ttf",),
    "fonts-cns11643-kai": ("TW-Kai-*.ttf",),
    "fonts-cns11643-sung": ("TW-Sung-*.ttf",),
    "fonts-dejavu-core": (
        "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf",
    ),
    "fonts-hanazono": ("HanaMinA.ttf", "HanaMinB.ttf"),
    "fonts-ipamj-mincho": ("ipamjm.ttf",),
    "fonts-mph-2b-damase": ("damase.ttf",),
    "fonts-noto-cjk": ("NotoSansCJK-*.ttc", "NotoSerifCJK-*.ttc"),
    "fonts-noto-core": ("NotoSans-Regular.ttf", "Noto*-Regular.ttf", "Noto*-Bold.ttf"),
    "fonts-symbola": ("Symbola_hint.ttf",),
    "fonts-unifont": ("unifont.otf", "unifont_jp.otf", "unifont_upper.otf"),
}
# It draws lower case as capitals.
_LEFT_OUT = frozenset({"Analecta_hint"})
DEBIAN_DIRECTORY = pathlib.Path("/usr/share/fonts")


def packaged_fonts(
    directory: pathlib.Path = DEBIAN_DIRECTORY,
    packages: Mapping[str, Sequence[str]] = DEBIAN_PACKAGES,
) -> dict[str, pathlib.Path]:
    """Finds the font files of Debian's packages by their names.

    Args:
      directory: where the files lie, at any depth.
      packages: patterns of the file names of every package.

    Returns:
      Font file of every face or collection of faces, in order of their names.

    Raises:
      FontMismatchError: a package has a pattern that no file's name matches.
    """
    files = [file for file in sorted(directory.rglob("*")) if file.stem not in _LEFT_OUT]
    found = {
        package: [fnmatch.filter([file.name for file in files], pattern) for pattern in patterns]
        for package, patterns in packages.items()
    }
    missing = [package for package, matches in found.items() if not all(matches)]
    if missing:
        raise FontMismatchError(
            f"fonts of {len(missing)} Debian packages are not in {directory}: "
            f"{', '.join(missing)}; install them with `{apt_line(missing)}`"
        )
    names = {name for matches in found.values() for match in matches for name in match}
    fonts = {file.stem: file for file in reversed(files) if file.name in names}
    return dict(sorted(fonts.items()))


def apt_line(packages: Sequence[str]) -> str:
    """Gives the command that installs packages.

    Args:
      packages: their names.

    Returns:
      The command for a shell.
    """
    return f"apt-get install -y --no-install-recommends {' '.join(packages)}"


@dataclasses.dataclass(frozen=True)
class FontSet:
    """Names the fonts that a class list was made from.

    Attributes:
      find: gives the font file of every face or collection; raises a FontMismatchError.
      licence: of the masks that they draw.
      remedy: for classes of which they draw too few masks.
    """

    find: Callable[[], dict[str, pathlib.Path]]
    licence: str
    remedy: str


MATPLOTLIB = FontSet(
    find=verified_fonts,
    licence="Masks drawn from DejaVu (Bitstream Vera) and STIX (STIX Font License) fonts.",
    remedy=(
        "Pillow's FreeType draws differently from the one the list was made with: install another "
        "Pillow"
    ),
)
DEBIAN = FontSet(
    find=packaged_fonts,
    licence=(
        "Masks drawn from fonts of Debian packages, whose notices go with them: "
        + ", ".join(f"/usr/share/doc/{package}/copyright" for package in DEBIAN_PACKAGES)
    ),
    remedy=(
        "the installed fonts are not those of Debian 12: install them anew with "
        f"`{apt_line(['--reinstall', *DEBIAN_PACKAGES])}`"
    ),
)
