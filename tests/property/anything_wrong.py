"""Documents with something wrong in them: a member is missing, is of another
type, too long, too large, not UTF-8, twice, or one too many."""
import copy
import json

DIGITS = "9" * 34
NUMBERS = ["0", "-0", "0.0", "1", "-1", "0.000000000000000001", DIGITS,
           "-" + DIGITS, DIGITS + "9", "1" + "0" * 33, "0." + DIGITS,
           "1e3", "1E400", "NaN", "Infinity", "-Infinity", "", " 1", "+1",
           "0x10", "1_000", "007", ".5", "5.", "1" * 5000]
TIMES = ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
         "2200-12-31T23:59:59Z", "2262-04-11T23:47:16.854775807Z",
         "2262-04-12T00:00:00Z", "9999-12-31T23:59:59Z",
         "0000-00-00T00:00:00Z", "2024-02-29T12:00:00Z",
         "2023-02-29T12:00:00Z", "2026-01-31T00:00:00Z",
         "2026-03-29T02:30:00+01:00", "2026-06-30T23:59:60Z",
         "2026-01-31T00:00:00.000000001Z", "2026-01-31", "now",
         "2026-01-31T00:00:00", "2026-01-31T00:00:00+99:99"]
SPANS = ["PT0S", "P0D", "PT1S", "PT59M59S", "PT1H", "P1D", "P1W", "P1M",
         "P1Y", "P100Y", "P9999Y", "P1M1D", "PT1.5S", "-P1M", "P", "PT",
         "P99999999999999999999M", "P1M1W", "P31D", "P0M", "PT876000H"]
TEXTS = ["", " ", "a", "A", "x" * 64, "x" * 65, "x" * 128, "x" * 129,
         "x" * 70000, "a\0b", "\0", "\u202eabc", "\ufeff", "\u0301",
         "\U0001f600" * 40, "../../etc", "<script>", "$minimum", "%n%s%s",
         "erased:01KKR5TPE0R3P0WJ5S9SVGZ2C5", "ß", "null", "\n", "INV-0001"]
RAW = [b"\xff\xfe", b'"\xc3\x28"', b'"\xed\xa0\x80"', b'"\\ud800"',
       b'"\\u0000"', b"1e999999", b"-0", b"1E-400", b"0.1e1", b"NaN",
       b"99999999999999999999999999999999999999", b"18446744073709551616",
       b"-9223372036854775809", b"1.5", b"[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]"
       b"]]]]]]]]", b'{"a":' * 15 + b"1" + b"}" * 15, b"[" * 3000, b'"', b"{",
       b"tru", b"", b",", b"{}{}", b'{"a":1,"a":2}', b"\x00"]
OTHERS = [None, True, False, 0, 1, -1, 255, 256, 2 ** 31, 2 ** 32, 2 ** 63,
          2 ** 64, 10 ** 33, 10 ** 34, 1.5, [], {}, [[]], [None], {"key": None},
          {"key": ""}, {"key": "nobody"}, [{}], ["a", "a"], [""], {"": ""},
          {"x": {}}, "text"]
NAMES = ["", "key", "name", "id", "type", "at", "amount", "version", "status",
         "created_at", "plan", "customer", "labels", "x", "a\0b", "\u202e"]
MARK = "\ue000mark"


def places(value, found):
    """Every member and item, as (where it is, its name or index)."""
    names = value if isinstance(value, dict) else range(len(value))
    for name in names:
        found.append((value, name))
        if isinstance(value[name], (dict, list)):
            places(value[name], found)
    return found


def instead(rng, value):
    """Something for a member: half of the time of its own kind."""
    if rng.random() < 0.5 and isinstance(value, str):
        if value[:1] == "P" and value[1:2].isdigit() or value[:2] == "PT":
            return rng.choice(SPANS)
        if value[4:5] == "-" and "T" in value:
            return rng.choice(TIMES)
        if value[:1].isdigit():
            return rng.choice(NUMBERS)
        return rng.choice(TEXTS)
    return rng.choice((rng.choice(NUMBERS), rng.choice(TIMES),
                       rng.choice(SPANS), rng.choice(TEXTS),
                       copy.deepcopy(rng.choice(OTHERS)),
                       copy.deepcopy(rng.choice(OTHERS))))


def text_of(document):
    return json.dumps(document, ensure_ascii=False).encode("utf-8",
                                                           "surrogatepass")


def spoiled(rng, document):
    """The text of a document, with one to three things changed in it."""
    document = json.loads(json.dumps(document))
    raw = None
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = places(document, [])
        if not found:
            return text_of(rng.choice(OTHERS))
        holder, name = rng.choice(found)
        way = rng.random()
        if way < 0.1:
            del holder[name]
        elif way < 0.2 and isinstance(holder, dict):
            holder[rng.choice(NAMES)] = instead(rng, holder[name])
        elif way < 0.25 and isinstance(holder, list):
            holder.extend([holder[name]] * rng.choice((1, 5, 300)))
        elif way < 0.35:
            holder[name] = MARK
            raw = rng.choice(RAW)
        else:
            holder[name] = instead(rng, holder[name])
    text = text_of(document)
    if raw is not None:
        text = text.replace(b'"' + MARK.encode() + b'"', raw)
    if rng.random() < 0.03:
        text = text[:rng.randrange(len(text) + 1)]
    return text
