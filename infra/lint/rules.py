"""The project's own rules, held by the templates as SAM expands them.

    rules.py DIRECTORY...               prints a line for each rule; fails on what breaks one
    rules.py --self-test DIRECTORY...   damages a copy for each rule and expects that rule to notice

The directories hold `<stack>.<stage>.json` as expand.py writes them, every stack in every stage. The rules are in own/.

Invariant: the sentence that documents a rule is what it demands; the rule says of how many things it demanded it, and
demands it of at least one; what it excuses stands beside it with a reason.
"""

import copy
import json
import sys
from pathlib import Path

from own import apis, data, functions, permissions, queues  # noqa: F401 (each registers its rules)
from own.stack import GONE, RULES, Stack

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("dev", "stage", "prod")


def read(directories):
    stacks = []
    for file in sorted(file for directory in directories for file in Path(directory).glob("*.json")):
        name, stage, _ = file.name.split(".")
        source = ROOT / ("template.yaml" if name == "template" else f"infra/{name}.yaml")
        resources = json.loads(file.read_text())["Resources"]
        stacks.append(Stack(name, stage, resources, source.read_text().splitlines()))
    found = sorted((stack.name, stack.stage) for stack in stacks)
    names = {path.stem for path in (ROOT / "infra").glob("*.yaml")} | {"template"}
    if found != sorted((name, stage) for name in names for stage in STAGES):
        sys.exit(f"{' and '.join(directories)} do not hold every stack in {', '.join(STAGES)} once")
    return stacks


def sentence(check):
    return " ".join(check.__doc__.split())


def held(stacks):
    """Runs every rule; says whether all hold."""
    broken = 0
    for check, _ in RULES:
        looked_at, complaints = 0, []
        for stack in stacks:
            for name, problem in check(stack):
                looked_at += 1
                if problem:
                    complaints.append(f"  {stack.name} {stack.stage}: {name}: {problem}")
        if looked_at == 0:
            complaints.append("  it looked at nothing")
        broken += len(complaints)
        print(f"{check.__name__}: {looked_at} looked at, {len(complaints)} broken. {sentence(check)}")
        for complaint in complaints:
            print(complaint)
    counts = {f"{stack.name} {stack.stage}": len(stack.resources) for stack in stacks}
    print("resources: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return broken == 0


def damaged(stack, place, value):
    """A copy of a stack with one thing changed; a place is a JSON pointer without its first slash."""
    resources = copy.deepcopy(stack.resources)
    if place == "":
        return Stack(stack.name, stack.stage, value, stack.source)
    *path, last = [it.replace("~1", "/") for it in place.split("/")]
    inside = resources
    for step in path:
        inside = inside[int(step) if isinstance(inside, list) else step]
    last = int(last) if isinstance(inside, list) else last
    if value is GONE:
        del inside[last]
    else:
        if isinstance(inside, list):
            inside[last]  # a damage must hit something
        inside[last] = value
    return Stack(stack.name, stack.stage, resources, stack.source)


def self_test(stacks):
    """Whether every rule notices every damage of its own, and names what was damaged."""
    by_name = {(stack.name, stack.stage): stack for stack in stacks}
    missed = 0
    for check, damages in RULES:
        unnoticed = []
        for name, stage, place, value, expected in damages:
            stack = by_name[name, stage]
            try:
                spoilt = damaged(stack, place, value)
            except (KeyError, IndexError):
                unnoticed.append(f"  {name} {stage}: there is no {place} to damage")
                continue
            before = [it for it, problem in check(stack) if problem]
            named = [it for it, problem in check(spoilt) if problem]
            if expected in before or expected not in named:
                unnoticed.append(f"  {name} {stage}: {place} damaged, found {named or 'nothing'}, expected {expected}")
        if not damages:
            unnoticed.append("  nothing is damaged for it")
        missed += len(unnoticed)
        print(f"{check.__name__}: {len(damages)} damages, {len(unnoticed)} unnoticed. {sentence(check)}")
        for line in unnoticed:
            print(line)
    return missed == 0


def main(arguments):
    testing = arguments[:1] == ["--self-test"]
    directories = arguments[testing:]
    if not directories:
        sys.exit(__doc__)
    stacks = read(directories)
    sys.exit(0 if (self_test if testing else held)(stacks) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
