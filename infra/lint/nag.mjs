// cdk-nag over expanded templates: `node nag.mjs DIRECTORY`, where DIRECTORY holds <stack>.<stage>.json.
//
// A finding is accepted in one of two places, each time with a reason: beside the resource, as
// Metadata.cdk_nag.rules_to_suppress, or for the whole project in accepted.mjs. Invariant: every finding is accepted or
// printed, and whatever is accepted but found nowhere is printed too, so that no stale excuse hides the next finding.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { App, CfnResource, Stack } from "aws-cdk-lib";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import { AwsSolutionsChecks, HIPAASecurityChecks } from "cdk-nag";
import { accepted } from "./accepted.mjs";

const directory = process.argv[2];
const complaints = [];
const used = new Set();
let found = 0;

for (const file of readdirSync(directory).filter((name) => name.endsWith(".json")).sort()) {
  const [stackName, stage] = file.split(".");
  const app = new App();
  const stack = new Stack(app, stackName);
  new CfnInclude(stack, "Template", { templateFile: join(directory, file) });

  // The rules accepted beside each resource, by its path in the tree.
  const beside = new Map();
  for (const resource of stack.node.findAll().filter(CfnResource.isCfnResource)) {
    const rules = resource.cfnOptions.metadata?.cdk_nag?.rules_to_suppress ?? [];
    for (const { id, reason } of rules) {
      if (!id || !reason) complaints.push(`${stackName} ${stage}: ${resource.node.id}: suppresses without id or reason`);
    }
    beside.set(resource.node.path, new Set(rules.map((rule) => rule.id)));
  }

  const excused = [];
  for (const pack of [new AwsSolutionsChecks(app), new HIPAASecurityChecks(app)]) {
    for (const { ruleName, description, violatingResources } of pack.validateScope(app).violations) {
      for (const { constructPath } of violatingResources) {
        found += 1;
        const resource = constructPath.split("/").at(-1);
        if (beside.get(constructPath).has(ruleName)) {
          excused.push({ resource, ruleName });
          continue;
        }
        const entry = accepted.find(
          (it) => it.rule === ruleName && it.resources.test(resource) && (it.stages ?? [stage]).includes(stage),
        );
        if (entry) used.add(entry);
        else complaints.push(`${stackName} ${stage}: ${resource}: ${ruleName}: ${description}`);
      }
    }
  }
  for (const [path, rules] of beside) {
    const resource = path.split("/").at(-1);
    for (const rule of rules) {
      // SAM copies a function's metadata to what it makes of the function, whose ids begin with the function's.
      const needed = excused.some((it) => it.ruleName === rule && resource.startsWith(it.resource));
      if (!needed) complaints.push(`${stackName} ${stage}: ${resource}: suppresses ${rule}, which finds nothing there`);
    }
  }
}
for (const entry of accepted) {
  if (!entry.reason) complaints.push(`accepted.mjs: ${entry.rule} has no reason`);
  if (!used.has(entry)) complaints.push(`accepted.mjs: ${entry.rule} on ${entry.resources} accepts nothing`);
}

if (found === 0) complaints.push("cdk-nag looked at nothing"); // a clean run always has findings that are accepted
for (const complaint of complaints) console.log(complaint);
console.log(`${found} findings; not accepted, or accepted in vain: ${complaints.length}`);
process.exitCode = complaints.length === 0 ? 0 : 1;
