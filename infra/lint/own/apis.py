"""Rules for APIs, and for the alarms of a whole role or account."""

import re

from own.stack import GONE, owner, rule


@rule(
    ("bpp", "dev", "BppApi5xxAlarm", GONE, "BppApi"),
    ("bap", "prod", "BapApi5xxAlarm/Properties/Threshold", 10, "BapApi"),
)
def server_errors(stack):
    """Every API has an alarm on its first 5xx."""
    for id, _ in stack.all("ApiGatewayV2::Api"):
        yield id, not stack.alarmed("AWS/ApiGateway", "5xx", "ApiId", id, 0) and "has no alarm on 5xx"


@rule(
    ("bpp", "dev", "BppSignatureFailuresAlarm", GONE, "bpp"),
    ("bap", "dev", "BapSignatureFailuresAlarm/Properties/Dimensions/0/Value", "beckn-health-prod", "bap"),
    ("network", "prod", "RegistrySignatureFailuresAlarm/Properties/Namespace", "AWS/Lambda", "registry"),
    ("network", "prod", "GatewaySignatureFailuresAlarm/Properties/Dimensions/1/Value", "gateways", "gateway"),
)
def signature_failures(stack):
    """Every role has an alarm on messages without a valid signature."""
    deployment = f"beckn-health-{stack.stage}"
    roles = {it["FunctionName"].removeprefix(f"{deployment}-").split("-")[0] for _, it in stack.all("Lambda::Function")}
    watched = [
        {it["Name"]: it["Value"] for it in alarm["Dimensions"]}
        for _, alarm in stack.all("CloudWatch::Alarm")
        if (alarm.get("Namespace"), alarm.get("MetricName")) == ("beckn-health", "SignatureFailure")
        and alarm["Statistic"] == "Sum"
    ]
    for role in sorted(roles):
        found = {"Deployment": deployment, "Role": role} in watched
        yield role, not found and "has no alarm on SignatureFailure"


@rule(
    (
        "bpp",
        "dev",
        "BppApiApiGatewayDefaultStage/Properties/DefaultRouteSettings/ThrottlingRateLimit",
        GONE,
        "BppApiApiGatewayDefaultStage",
    ),
    ("bpp", "dev", "BppApiApiGatewayDefaultStage/Properties/AccessLogSettings", GONE, "BppApiApiGatewayDefaultStage"),
    (
        "bap",
        "dev",
        "BapApiApiGatewayDefaultStage/Properties/AccessLogSettings/Format",
        "$context.identity.sourceIp",
        "BapApiApiGatewayDefaultStage",
    ),
)
def throttling(stack):
    """Every API limits each of its routes and logs requests, but no address, path or query."""
    for id, api in stack.all("ApiGatewayV2::Stage"):
        limits = api.get("DefaultRouteSettings", {})
        limited = all(limits.get(it, 0) > 0 for it in ("ThrottlingRateLimit", "ThrottlingBurstLimit"))
        access = api.get("AccessLogSettings", {})
        logged = set(re.findall(r"\$context\.([\w.]+)", access.get("Format", "")))
        told = logged - {
            "requestId",
            "requestTime",
            "routeKey",
            "status",
            "responseLatency",
            "integrationLatency",
            "integrationErrorMessage",
        }
        if not (limited and owner(access.get("DestinationArn")) in stack.resources):
            yield id, "has no limit for each route, or no access log"
        else:
            yield id, told and f"logs {', '.join(sorted(told))}"


@rule(
    ("bap", "prod", "BapApi/Properties/Body/paths/~1client~1search/post/security", [], "POST /client/search"),
    (
        "bap",
        "stage",
        "BapApi/Properties/Body/paths/~1client~1transactions~1{transaction_id}/get/security",
        GONE,
        "GET /client/transactions/{transaction_id}",
    ),
    ("bap", "prod", "BapApi/Properties/Body/components/securitySchemes/ClientJwt", GONE, "POST /client/search"),
)
def tokens(stack):
    """Outside dev every route under /client and /provider asks for a JWT."""
    if stack.stage == "dev":
        return
    for _, api in stack.all("ApiGatewayV2::Api"):
        body = api["Body"]
        schemes = body.get("components", {}).get("securitySchemes", {})
        for path, methods in body["paths"].items():
            if not path.startswith(("/client/", "/provider/")):
                continue
            for method, route in methods.items():
                asked = [name for it in route.get("security", []) for name in it]
                authorizers = [
                    schemes.get(it, {}).get("x-amazon-apigateway-authorizer", {}).get("type") for it in asked
                ]
                yield f"{method.upper()} {path}", authorizers != ["jwt"] and "asks for no token"


@rule(("observability", "dev", "AccountConcurrencyAlarm", GONE, "observability"))
def account_concurrency(stack):
    """The stack that looks across roles has an alarm on the account's concurrency."""
    if stack.name == "observability":
        watched = any(it.get("MetricName") == "ClaimedAccountConcurrency" for _, it in stack.all("CloudWatch::Alarm"))
        yield stack.name, not watched and "has no alarm on ClaimedAccountConcurrency"
