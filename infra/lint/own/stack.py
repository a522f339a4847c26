"""What a rule is, and the expanded template it looks at.

Invariant: a rule looks at one stack at a time and changes nothing in it.
"""

from functools import cached_property

# Every rule with its damages, in the order in which they are written down.
RULES = []
# Takes away what a damage names.
GONE = object()


class Stack:
    """One expanded template."""

    def __init__(self, name, stage, resources, source):
        self.name, self.stage, self.resources, self.source = name, stage, resources, source

    def all(self, kind):
        """Logical id and properties of every resource of a type, without the `AWS::`."""
        for id, resource in self.resources.items():
            if resource["Type"] == f"AWS::{kind}":
                yield id, resource.get("Properties", {})

    @cached_property
    def aliases(self):
        """The function behind each alias."""
        return {id: owner(alias["FunctionName"]) for id, alias in self.all("Lambda::Alias")}

    def function(self, reference):
        """The logical id of the function that a reference, perhaps to its alias, means."""
        id = owner(reference)
        return self.aliases.get(id, id)

    @cached_property
    def mappings(self):
        """Event source mappings, as their id, kind of source, its logical id, function and properties."""
        found = []
        for id, mapping in self.all("Lambda::EventSourceMapping"):
            source = owner(mapping["EventSourceArn"])
            kind = "queue" if self.resources[source]["Type"] == "AWS::SQS::Queue" else "stream"
            found.append((id, kind, source, self.function(mapping["FunctionName"]), mapping))
        return found

    @cached_property
    def dead_letter_queues(self):
        redriven = (queue.get("RedrivePolicy", {}).get("deadLetterTargetArn") for _, queue in self.all("SQS::Queue"))
        failed = (
            mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            for *_, mapping in self.mappings
        )
        return {owner(it) for it in (*redriven, *failed)} - {None}

    def alarmed(self, namespace, metric, dimension, resource, threshold=None):
        """Whether an alarm goes off when the metric of a resource is above a threshold."""
        for _, alarm in self.all("CloudWatch::Alarm"):
            if (alarm.get("Namespace"), alarm.get("MetricName")) != (namespace, metric):
                continue
            above = alarm["ComparisonOperator"] == "GreaterThanThreshold"
            named = any(it["Name"] == dimension and owner(it["Value"]) == resource for it in alarm["Dimensions"])
            if named and above and threshold in (None, alarm["Threshold"]):
                return True
        return False

    @cached_property
    def statements(self):
        """Every policy statement, as the id of the resource that bears it and the statement."""
        found = []
        for id, resource in self.resources.items():
            properties = resource.get("Properties", {})
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            documents += [properties[it] for it in ("PolicyDocument", "KeyPolicy") if it in properties]
            found += ((id, statement) for document in documents for statement in document["Statement"])
        return found


def owner(reference):
    """The logical id that a Ref or GetAtt names."""
    if not isinstance(reference, dict):
        return None
    if "Ref" in reference:
        return reference["Ref"]
    target = reference.get("Fn::GetAtt")
    return target.split(".")[0] if isinstance(target, str) else target and target[0]


def listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def texts(value):
    """Every text in a template, keys included."""
    if isinstance(value, dict):
        for key, it in value.items():
            yield key
            yield from texts(it)
    elif isinstance(value, list):
        for it in value:
            yield from texts(it)
    elif isinstance(value, str):
        yield value


def rule(*damages):
    """Makes a function a rule.

    It yields, for each thing it looks at, the thing's name and what is wrong with it, or None. Each damage is a stack
    and stage, a place in its resources, the value put there (GONE takes away what is there), and the name of the thing
    that the rule must then complain of.
    """

    def register(check):
        RULES.append((check, damages))
        return check

    return register
