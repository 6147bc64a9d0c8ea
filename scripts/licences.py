"""What the crates that this workspace is built of may be, and what they ask for.

    scripts/licences.py check                     every crate's licence and source, also of tests
    scripts/licences.py notice TARGET CRATE…      the licences of all that is inside these crates' files

Neither needs the network once cargo has fetched the crates. Licences are read from the crates' own files; a
crate without one that may be had under the Apache License 2.0 gets that text.
"""

import json
import pathlib
import re
import subprocess
import sys

# Licences that ask for no more than their text beside a program.
ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0",
    "CC0-1.0", "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}  # fmt: skip
# Of programs that help to build or test and are inside of nothing that is given away.
ALLOWED_OUTSIDE = ALLOWED | {"MPL-2.0"}
TEXTS = re.compile(r"^(licen[cs]e|copying|notice|unlicense)", re.IGNORECASE)
ROOT = pathlib.Path(__file__).resolve().parent.parent


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def metadata():
    return json.loads(cargo("metadata", "--format-version", "1", "--locked", "--all-features"))["packages"]


def inside(target, crates):
    """Name and version of each crate whose code is in the files of these."""
    chosen = [argument for crate in crates for argument in ("-p", crate)]
    lines = cargo("tree", "--locked", "--edges", "normal,no-proc-macro", "--target", target, "--prefix", "none",
                  "--format", "{p}", *chosen)  # fmt: skip
    return {tuple(line.split(" ")[:2]) for line in lines.splitlines() if line}


def satisfied(expression, allowed):
    """Whether an SPDX expression can be met with these licences. A slash is an older OR."""
    words = re.findall(r"[()]|[^\s()/]+", (expression or "").replace("/", " OR "))

    def either():
        met = both()
        while words and words[0] == "OR":
            words.pop(0)
            met = both() or met
        return met

    def both():
        met = one()
        while words and words[0] == "AND":
            words.pop(0)
            met = one() and met
        return met

    def one():
        word = words.pop(0) if words else ""
        if word == "(":
            met = either()
            if words:
                words.pop(0)
            return met
        if words and words[0] == "WITH":
            word += " WITH " + words[1]
            del words[:2]
        return word in allowed

    return either()


def key(package):
    return package["name"], "v" + package["version"]


def check():
    packages = metadata()
    given_away = inside("all", ["infer", "infer-c"])
    # Cargo's own registry is where serde comes from.
    registry = next(package["source"] for package in packages if package["name"] == "serde")
    wrong = []
    for package in packages:
        name = " ".join(key(package))
        if package["source"] not in (None, registry) or not registry.startswith("registry+"):
            wrong.append(f"{name} comes from {package['source']}, expected cargo's registry")
        allowed = ALLOWED if key(package) in given_away else ALLOWED_OUTSIDE
        if not satisfied(package["license"], allowed):
            wrong.append(f"{name} has the licence {package['license']}, which is not one of {', '.join(sorted(allowed))}")
    if wrong:
        sys.exit("\n".join(f"licences: {line}" for line in wrong))
    print(f"{len(packages)} crates come from the workspace or cargo's registry, under licences that may be given away")


def notice(target, crates):
    wanted = inside(target, crates)
    apache = (ROOT / "LICENSE-APACHE").read_text()
    texts = {}
    for package in metadata():
        if key(package) not in wanted or package["source"] is None:
            continue
        folder = pathlib.Path(package["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir() if TEXTS.match(path.name) and path.is_file())
        found = [path.read_text(errors="replace").strip() for path in files]
        if not found:
            if not satisfied(package["license"], {"Apache-2.0"}):
                sys.exit(f"licences: {' '.join(key(package))} ({package['license']}) brings no text of its licence")
            found = [apache.strip()]
        authors = ", ".join(package["authors"])
        who = f"{' '.join(key(package))} ({package['license']}{'; ' + authors if authors else ''})"
        for text in found:
            texts.setdefault(re.sub(r"\s+", " ", text), (text, []))[1].append(who)
    print("edgegan contains the crates below, each under the licence that follows its name, and Rust's standard")
    print("library (MIT OR Apache-2.0; The Rust Project Developers).")
    for text, users in sorted(texts.values(), key=lambda entry: sorted(entry[1])):
        print("\n" + "=" * 78)
        print("\n".join(sorted(set(users))))
        print("-" * 78 + "\n" + text)


match sys.argv[1:]:
    case ["check"]:
        check()
    case ["notice", target, *crates] if crates:
        notice(target, crates)
    case _:
        sys.exit(__doc__)
