"""Expands a template as CloudFormation would: `expand.py STAGE TEMPLATE... DIRECTORY`.

SAM's own translator turns each serverless resource into what it makes, then the parameters are filled in and the
conditions decided, so a linter sees the resources that a deployment to STAGE creates and no others. `dev` is the least
one can deploy: every parameter that has a default keeps it. `stage` is the least outside `dev`. `prod` has every
option on. Intrinsics whose value only a deployment knows (Ref to a resource, GetAtt, pseudo parameters) stay as they
are.

Invariant: nothing is asked of AWS; account, region and the parameters without a default are the ones below.
"""

import json
import logging
import os
import re
import sys
from pathlib import Path

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"  # before SAM's import reads it

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

logging.disable()  # the translator warns of feature flags that only the AWS service reads

ARN = "arn:aws:{}:us-east-1:123456789012:{}"
# What prod is given; dev takes from here only what has no default.
PARAMETERS = {
    "AlarmTopicArn": ARN.format("sns", "alarms"),
    "BapApiId": "bap0000000",
    "BppApiId": "bpp0000000",
    "CertificateArn": ARN.format("acm", "certificate/00000000-0000-0000-0000-000000000000"),
    "ClientJwtAudience": "app",
    "ClientJwtIssuer": "https://login.example.org",
    "DomainName": "api.example.org",
    "GatewayUrl": "https://api.example.org/gateway",
    "KeyId": "key-1",
    "LogRetentionDays": 365,  # as samconfig.toml has it
    "NetworkApiId": "net0000000",
    "RegistryUrl": "https://api.example.org/registry",
    "ReservedConcurrency": 100,
    "SigningKeySecretArn": ARN.format("secretsmanager", "secret:signing-key-AbCdEf"),
    "SubscriberId": "api.example.org",
    "SubscriberUrl": "https://api.example.org/bpp",
}
# The root has some parameters once for each role; the roles may share their values here.
OF_ROLE = re.compile("^(Bpp|Bap|Gateway|Network|Registry)(?=[A-Z])")
# What the templates' Rules demand outside dev.
OUTSIDE_DEV = {"ClientJwtIssuer", "ClientJwtAudience"}
NO_VALUE = object()


class Parameters:
    """The values that decide a template's conditions."""

    def __init__(self, template, stage):
        self.values = {}
        for name, parameter in template.get("Parameters", {}).items():
            default = parameter.get("Default")
            given = PARAMETERS.get(name, PARAMETERS.get(OF_ROLE.sub("", name), default))
            wanted = stage == "prod" or default is None or (stage != "dev" and name in OUTSIDE_DEV)
            self.values[name] = given if wanted else default
        self.values["Stage"] = stage
        missing = sorted(name for name, value in self.values.items() if value is None)
        if missing:
            sys.exit(f"expand.py has no value for the parameters {', '.join(missing)}")
        self.mappings = template.get("Mappings", {})
        self.conditions = template.get("Conditions", {})

    def holds(self, condition):
        """Whether a condition, by name or written out, is true."""
        if isinstance(condition, str):
            return self.holds(self.conditions[condition])
        ((function, operands),) = condition.items()
        match function:
            case "Condition":
                return self.holds(operands)
            case "Fn::Equals":
                left, right = (str(self.fill(it)) for it in operands)
                return left == right
            case "Fn::Not":
                return not self.holds(operands[0])
            case "Fn::And":
                return all(map(self.holds, operands))
            case "Fn::Or":
                return any(map(self.holds, operands))
        sys.exit(f"expand.py does not know the condition {function}")

    def fill(self, value):
        """The value with parameters, mappings and conditions decided."""
        if isinstance(value, list):
            return [it for it in map(self.fill, value) if it is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, operands),) = value.items()
            match function:
                case "Ref" if operands == "AWS::NoValue":
                    return NO_VALUE
                case "Ref" if operands in self.values:
                    return self.values[operands]
                case "Fn::If":
                    name, yes, no = operands
                    return self.fill(yes if self.holds(name) else no)
                case "Fn::FindInMap":
                    mapping, first, second = map(self.fill, operands)
                    return self.mappings[mapping][first][second]
                case "Fn::Sub":
                    return self.substitute(operands)
        filled = {key: self.fill(it) for key, it in value.items()}
        return {key: it for key, it in filled.items() if it is not NO_VALUE}

    def substitute(self, operands):
        text, own = operands if isinstance(operands, list) else (operands, {})
        known = {name: it for name, it in self.values.items() if name not in own}
        text = re.sub(r"\$\{(\w+)\}", lambda it: str(known.get(it[1], it[0])), text)
        if "${" not in text:
            return text
        return {"Fn::Sub": [text, self.fill(own)] if own else text}


def uploaded(template):
    """Paths become places in S3, as `sam package` makes them; the translator takes no others."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Application":
            resource["Properties"]["Location"] = "https://s3.amazonaws.com/bucket/nested.yaml"
    function = template.get("Globals", {}).get("Function", {})
    if "CodeUri" in function:
        function["CodeUri"] = "s3://bucket/code.zip"
    return template


def expand(path, stage):
    source = yaml_parse(path.read_text())
    parameters = Parameters(source, stage)
    template = transform(uploaded(source), parameters.values, lambda: {})
    parameters.conditions = template.get("Conditions", {})
    resources = {
        name: resource
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or parameters.holds(resource["Condition"])
    }
    for resource in resources.values():
        resource.pop("Condition", None)
    return {"AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"], "Resources": parameters.fill(resources)}


def main(stage, *paths):
    *templates, directory = map(Path, paths)
    for path in templates:
        expanded = expand(path, stage)
        target = directory / f"{path.stem}.{stage}.json"
        target.write_text(json.dumps(expanded, indent=1))
        print(f"{target.name}: {len(expanded['Resources'])} resources")


if __name__ == "__main__":
    main(*sys.argv[1:])
