"""What the public headers say: functions, arguments, the errors each names.

Read by make_guard.py and census.py.
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = ROOT / "include" / "metering"
FUNCTION = re.compile(r"/\*\*((?:(?!\*/).)*)\*/\s*"
                      r"MET_API\s+(?:MET_NODISCARD\s+)?([^;(]*?)"
                      r"\b(met_\w+)\s*\(([^;]*?)\)\s*;", re.S)


def codes():
    """Names of all errors in the order of their list; MET_OK comes first."""
    text = (HEADERS / "error.h").read_text()
    return ["MET_OK"] + re.findall(r"X\((MET_E_\w+),", text)


class Function:
    def __init__(self, header, comment, kind, name, arguments):
        self.header = header.name
        self.comment = comment
        self.kind = " ".join(kind.split())
        self.name = name
        words = " ".join(arguments.split())
        self.arguments = [] if words == "void" else [
            re.match(r"(.*?)(\w+)$", word).groups()
            for word in words.split(", ")]
        self.arguments = [(kind.strip(), name)
                          for kind, name in self.arguments]

    def named(self):
        """The errors that @return names."""
        found = re.search(r"@return(.*?)(?=@\w|\Z)", self.comment, re.S)
        return set(re.findall(r"\bMET_(?:OK|E_[A-Z_]+)\b", found.group(1))) \
            if found else set()


def functions():
    return [Function(path, *found)
            for path in sorted(HEADERS.glob("*.h"))
            for found in FUNCTION.findall(path.read_text())]
