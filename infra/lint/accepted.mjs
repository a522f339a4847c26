// What cdk-nag finds and the project accepts everywhere, each with its reason. What holds for one resource alone is
// accepted beside it, in its template (Metadata.cdk_nag).
//
// `rule` is the finding as cdk-nag names it, `resources` matches logical ids, `stages` are those of expand.py (all of
// them if left out). nag.mjs complains of an entry that accepts nothing.

// SAM makes them, one for each function.
const FUNCTION_ROLES = /FunctionRole$/;
const managed = (name) => `AwsSolutions-IAM4[Policy::arn:aws:iam::aws:policy/${name}]`;

export const accepted = [
  {
    rule: managed("service-role/AWSLambdaBasicExecutionRole"),
    resources: FUNCTION_ROLES,
    reason: "SAM attaches it to every role it makes. It can only write logs; no function can read any.",
  },
  {
    rule: managed("AWSXrayWriteOnlyAccess"),
    resources: FUNCTION_ROLES,
    reason: "SAM attaches it for Tracing: Active. It writes traces and reads sampling rules, which cannot be limited to a resource.",
  },
  {
    rule: managed("service-role/AWSLambdaSQSQueueExecutionRole"),
    resources: FUNCTION_ROLES,
    reason: "SAM attaches it to functions that a queue invokes. It may read any queue, so each such role denies all queues but its own; tests/drift checks that it does.",
  },
  {
    rule: managed("service-role/AWSLambdaDynamoDBExecutionRole"),
    resources: FUNCTION_ROLES,
    reason: "SAM attaches it to functions that a stream invokes. It may read any stream, so each such role denies all streams but its own; tests/drift checks that it does.",
  },
  {
    rule: managed("service-role/AWSCodeDeployRoleForLambda"),
    resources: /^CodeDeployServiceRole$/,
    reason: "SAM makes this role for the canaries. Only CodeDeploy can assume it, and AWS keeps its policy in step with CodeDeploy.",
  },
  {
    rule: "HIPAA.Security-IAMNoInlinePolicy",
    resources: /Function(Clock)?Role$/,
    reason: "Each function has a role, and a policy, of its own. Inline, the policy cannot be attached to anything else and goes when the role goes.",
  },
  {
    rule: "HIPAA.Security-LambdaInsideVPC",
    resources: /Function$/,
    reason: "There is nothing in a VPC to reach: functions call AWS services, guarded by IAM, and peers on the internet, guarded by the egress rules of shared/platform. A VPC would only add NAT gateways.",
  },
  {
    rule: "HIPAA.Security-LambdaDLQ",
    resources: /^(?!BppTick).*Function$/,
    reason: "It is for asynchronous invocations. The API invokes synchronously; what a queue or a stream could not deliver goes to the dead-letter queue of that queue or mapping.",
  },
  {
    rule: "HIPAA.Security-LambdaConcurrency",
    resources: /Function$/,
    stages: ["dev"],
    reason: "The parameter ReservedConcurrency sets it. It is off by default, since a new account has too little concurrency to reserve some for each function.",
  },
  {
    rule: "HIPAA.Security-CloudWatchAlarmAction",
    resources: /Alarm$/,
    stages: ["dev"],
    reason: "The parameter AlarmTopicArn sets it for every alarm at once. A deployment without a topic shows its alarms in CloudWatch.",
  },
  {
    rule: "HIPAA.Security-DynamoDBInBackupPlan",
    resources: /Table$/,
    reason: "Every table has point-in-time recovery over 35 days and is retained when its stack goes. Copies for longer, or in another account, belong to the account's own backup plan, which selects tables by ARN or tag.",
  },
];
