"""Where a codepoint stands in the hierarchy: vertical, Unicode script and Unicode block."""

from __future__ import annotations

import bisect
import functools

# First and last codepoint of a run of one script inside one block, then vertical/script/block.
# Only runs that hold a class are listed; scripts and blocks are Unicode's own, verticals are ours.
_RUNS = """
0000 0040 punctuation_modifiers/Common/Basic Latin
0041 005A latin_basic_extended_a/Latin/Basic Latin
005B 0060 punctuation_modifiers/Common/Basic Latin
0061 007A latin_basic_extended_a/Latin/Basic Latin
007B 007F punctuation_modifiers/Common/Basic Latin
0080 00A9 punctuation_modifiers/Common/Latin-1 Supplement
00AB 00B9 punctuation_modifiers/Common/Latin-1 Supplement
00BB 00BF punctuation_modifiers/Common/Latin-1 Supplement
00C0 00D6 latin_basic_extended_a/Latin/Latin-1 Supplement
00D7 00D7 punctuation_modifiers/Common/Latin-1 Supplement
00D8 00F6 latin_basic_extended_a/Latin/Latin-1 Supplement
00F7 00F7 punctuation_modifiers/Common/Latin-1 Supplement
00F8 00FF latin_basic_extended_a/Latin/Latin-1 Supplement
0100 017F latin_basic_extended_a/Latin/Latin Extended-A
0180 024F latin_extended_bcd/Latin/Latin Extended-B
0250 02AF phonetic_ipa/Latin/IPA Extensions
02B9 02DF punctuation_modifiers/Common/Spacing Modifier Letters
02E5 02E9 punctuation_modifiers/Common/Spacing Modifier Letters
02EC 02FF punctuation_modifiers/Common/Spacing Modifier Letters
0370 0373 greek_coptic/Greek/Greek and Coptic
0375 037D greek_coptic/Greek/Greek and Coptic
0385 0385 punctuation_modifiers/Common/Greek and Coptic
0386 0386 greek_coptic/Greek/Greek and Coptic
0388 03E1 greek_coptic/Greek/Greek and Coptic
03E2 03EF greek_coptic/Coptic/Greek and Coptic
03F0 03FF greek_coptic/Greek/Greek and Coptic
0400 04FF cyrillic/Cyrillic/Cyrillic
0500 052F cyrillic/Cyrillic/Cyrillic Supplement
0531 058F armenian_georgian/Armenian/Armenian
0591 05FF hebrew_lao/Hebrew/Hebrew
0606 060B arabic/Arabic/Arabic
060C 060C punctuation_modifiers/Common/Arabic
061B 061B punctuation_modifiers/Common/Arabic
061F 061F punctuation_modifiers/Common/Arabic
0620 063F arabic/Arabic/Arabic
0640 0640 punctuation_modifiers/Common/Arabic
0641 06DC arabic/Arabic/Arabic
06DE 06FF arabic/Arabic/Arabic
0E3F 0E3F punctuation_modifiers/Common/Thai
0E81 0EFF hebrew_lao/Lao/Lao
10A0 10FA armenian_georgian/Georgian/Georgian
10FB 10FB punctuation_modifiers/Common/Georgian
1400 167F canadian_aboriginal/Canadian Aboriginal/Unified Canadian Aboriginal Syllabics
1D00 1D25 phonetic_ipa/Latin/Phonetic Extensions
1D26 1D2A greek_coptic/Greek/Phonetic Extensions
1D2C 1D5C phonetic_ipa/Latin/Phonetic Extensions
1D6B 1D77 phonetic_ipa/Latin/Phonetic Extensions
1D79 1D7F phonetic_ipa/Latin/Phonetic Extensions
1D80 1DBE phonetic_ipa/Latin/Phonetic Extensions Supplement
1E00 1EFF latin_vietnamese_additional/Latin/Latin Extended Additional
1F00 1FFF greek_coptic/Greek/Greek Extended
2000 206F punctuation_modifiers/Common/General Punctuation
20A0 20CF letterlike_numbers_enclosed/Common/Currency Symbols
2100 2125 letterlike_numbers_enclosed/Common/Letterlike Symbols
2127 2129 letterlike_numbers_enclosed/Common/Letterlike Symbols
212C 2131 letterlike_numbers_enclosed/Common/Letterlike Symbols
2132 2132 phonetic_ipa/Latin/Letterlike Symbols
2133 214D letterlike_numbers_enclosed/Common/Letterlike Symbols
214E 214E phonetic_ipa/Latin/Letterlike Symbols
2150 215F letterlike_numbers_enclosed/Common/Number Forms
2160 2188 phonetic_ipa/Latin/Number Forms
2189 218F letterlike_numbers_enclosed/Common/Number Forms
2190 21FF arrows/Common/Arrows
2200 22FF math_operators/Common/Mathematical Operators
2300 23FF technical/Common/Miscellaneous Technical
2400 243F technical/Common/Control Pictures
2460 24FF letterlike_numbers_enclosed/Common/Enclosed Alphanumerics
2500 257F box_block_geometric/Common/Box Drawing
2580 259F box_block_geometric/Common/Block Elements
25A0 25FF box_block_geometric/Common/Geometric Shapes
2600 26FF pictographs_emoticons/Common/Miscellaneous Symbols
2700 27BF dingbats/Common/Dingbats
27C0 27EF math_operators/Common/Miscellaneous Mathematical Symbols-A
27F0 27FF arrows/Common/Supplemental Arrows-A
2800 28FF braille/Braille/Braille Patterns
2900 297F arrows/Common/Supplemental Arrows-B
2980 29FF math_operators/Common/Miscellaneous Mathematical Symbols-B
2A00 2AFF math_operators/Common/Supplemental Mathematical Operators
2B00 2BFF arrows/Common/Miscellaneous Symbols and Arrows
2C60 2C7F latin_extended_bcd/Latin/Latin Extended-C
2D00 2D2F armenian_georgian/Georgian/Georgian Supplement
2E00 2E7F punctuation_modifiers/Common/Supplemental Punctuation
4DC0 4DFF hexagrams_tetragrams/Common/Yijing Hexagram Symbols
A4D0 A4FF ancient_lisu/Lisu/Lisu
A640 A69F cyrillic/Cyrillic/Cyrillic Extended-B
A700 A71F punctuation_modifiers/Common/Modifier Tone Letters
A722 A787 latin_extended_bcd/Latin/Latin Extended-D
A788 A78A punctuation_modifiers/Common/Latin Extended-D
A78B A7FF latin_extended_bcd/Latin/Latin Extended-D
FB00 FB12 phonetic_ipa/Latin/Alphabetic Presentation Forms
FB13 FB1C armenian_georgian/Armenian/Alphabetic Presentation Forms
FB1D FB4F hebrew_lao/Hebrew/Alphabetic Presentation Forms
FB50 FD3D arabic/Arabic/Arabic Presentation Forms-A
FE70 FEFE arabic/Arabic/Arabic Presentation Forms-B
FFF9 FFFF punctuation_modifiers/Common/Specials
10300 1032F ancient_lisu/Old Italic/Old Italic
1D300 1D35F hexagrams_tetragrams/Common/Tai Xuan Jing Symbols
"""


@functools.lru_cache(maxsize=1)
def _table() -> tuple[tuple[int, ...], tuple[tuple[int, str], ...]]:
    rows = [line.split(" ", 2) for line in _RUNS.strip().splitlines()]
    firsts = tuple(int(first, 16) for first, _, _ in rows)
    return firsts, tuple((int(last, 16), path) for _, last, path in rows)


def block_path(codepoint: int) -> str:
    """Returns `vertical/script/block` of a codepoint.

    Args:
      codepoint: a Unicode codepoint, for example 0x3B1.

    Returns:
      The path, for example `greek_coptic/Greek/Greek and Coptic`.

    Raises:
      ValueError: no run of the table holds the codepoint.
    """
    firsts, lasts_and_paths = _table()
    index = bisect.bisect_right(firsts, codepoint) - 1
    if index < 0 or codepoint > lasts_and_paths[index][0]:
        raise ValueError(
            f"codepoint U+{codepoint:04X} is in no run of the table of blocks; expected one of its "
            f"{len(firsts)} runs; add a row for it to _RUNS in {__name__}"
        )
    return lasts_and_paths[index][1]
