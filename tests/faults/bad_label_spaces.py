"""Label spaces that cannot be."""

from tests.data.pictures import tree, write
from tests.faults.case import ACCEPTED, SKIPPED, Case

AREA = "label spaces"
COMMAND = (
    "kc_jax.prepare --config=configs/folder.py:small --config.data.directory={root}/photos "
    "--config.data.prepared={root}/packed --config.data.label_space={root}/classes.csv"
)
GOOD = """class_id,name,vertical,path
0,truck,car,car/truck
1,sedan,car,car/sedan
2,bird,animal,animal/bird
3,wren,animal,animal/bird/wren
"""
HEAD = "class_id,name,vertical,path\n"


def case(name, text, *words, command=COMMAND, **more):
    def make(root):
        write(root / "photos", tree(3))
        content = text if isinstance(text, bytes) else text.encode()
        (root / "classes.csv").write_bytes(content)

    return Case(AREA, name, command, words, make, **more)


def parents(*rows):
    return "class_id,name,vertical,parent\n" + "".join(f"{row}\n" for row in rows)


CASES = [
    case("no such file", GOOD, "config.data.label_space", "no.csv'", "class_id,name",
         command=COMMAND.replace("classes", "no")),
    case("empty file", "", "classes.csv", "there are no classes"),
    case("header alone", HEAD, "classes.csv", "there are no classes", "one row a class"),
    case("column missing", GOOD.replace("vertical,", "kind,", 1), "classes.csv",
         "column 'vertical' is missing", "found class_id, name, kind, path"),
    case("semicolons", GOOD.replace(",", ";"), "classes.csv", "column 'class_id' is missing",
         "commas"),
    case("column twice", GOOD.replace("path", "name", 1), "classes.csv", "two columns 'name'"),
    case("row with a cell too many", GOOD.replace("truck,car", "truck,pickup,car", 1),
         "classes.csv", "row 1", "5 cells", "4 columns"),
    case("not UTF-8", GOOD.encode("utf-16"), "classes.csv", "UTF-8"),
    case("Latin 1", GOOD.replace("wren", "rödhake").encode("latin-1"), "classes.csv", "UTF-8"),
    case("a huge cell", GOOD.replace("wren", "w" * 200_000, 1), "classes.csv", "field"),
    case("a byte of 0", GOOD.replace("wren", "wr\0en", 1), "classes.csv", "row 4", "byte of 0"),
    case("id that is no number", GOOD.replace("2,bird", "two,bird"), "classes.csv",
         "class_id 'two' of 'bird'", "whole number"),
    case("id of 5,000 figures", GOOD.replace("3,wren", "3" * 5000 + ",wren"), "classes.csv",
         "of 'wren' is not a whole number"),
    case("id twice", GOOD.replace("2,bird", "1,bird"), "classes.csv", "class_id 1 occurs twice"),
    case("id beyond", GOOD.replace("2,bird", "7,bird"), "classes.csv", "class_id 2 is missing",
         "0 to 3"),
    case("negative id", GOOD.replace("2,bird", "-2,bird"), "classes.csv", "class_id 2 is missing"),
    case("no name", GOOD.replace("2,bird", "2,"), "classes.csv", "class 2", "no name"),
    case("row that ends after its id", GOOD.replace("2,bird,animal,animal/bird", "2"),
         "classes.csv", "class 2", "no name"),
    case("no vertical", GOOD.replace("bird,animal,", "bird,,", 1), "classes.csv", "class 2",
         "has no vertical", "name one"),
    case("vertical in two places", GOOD.replace("sedan,car", "sedan,road", 1) +
         "4,van,car,car/van\n", "classes.csv", "'car' are not contiguous", "sort the rows"),
    case("class in two verticals", GOOD.replace("bird,animal,animal/bird", "bird,animal,car/truck"),
         "classes.csv", "'car/truck' is in two verticals", "keep it in one"),
    case("class twice", GOOD.replace("car/sedan", "car/truck"), "classes.csv",
         "'car/truck' occurs twice", "keep one row"),
    case("parent that is none", parents("0,a,v,", "1,b,v,7"), "classes.csv",
         "'b' has the unknown parent 7", "0 to 1"),
    case("parent by name", parents("0,a,v,", "1,b,v,a"), "classes.csv",
         "'b' has the unknown parent 'a'", "give a class_id"),
    case("parent in another vertical", parents("0,a,v,", "1,b,w,0"), "classes.csv",
         "'b' and its parent 'a'", "must share one"),
    case("its own ancestor", parents("0,a,v,1", "1,b,v,0"), "classes.csv", "its own ancestor",
         "remove the cycle"),
    case("vertical without images", GOOD + "4,rose,plant,plant/rose\n", "'plant'",
         "no image left for train", "take them out"),
    case("labels that it lacks", HEAD + "0,truck,car,car/truck\n1,bird,animal,animal/bird\n",
         "not in the label space: 2: 'animal/bird/wren' (3 images)", "6 unknown label",
         kind=SKIPPED),
    case("byte-order mark", "\ufeff" + GOOD, "in 2 verticals", kind=ACCEPTED),
    case("ends of lines of Windows", GOOD.replace("\n", "\r\n"), "in 2 verticals", kind=ACCEPTED),
    case("names of many alphabets", GOOD.replace(",truck", ",грузовик 🚚"), "in 2 verticals",
         kind=ACCEPTED),
    case("rows in another order", HEAD + "".join(f"{row}\n" for row in GOOD.splitlines()[:0:-1]),
         "in 2 verticals", kind=ACCEPTED),
]
