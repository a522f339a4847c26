//! The templates under `infra/`, and the root that nests them.

use std::collections::BTreeSet;

use beckn_health_platform::function::Function;
use serde_json::Value;

use crate::{Disagreements, source, yaml};

/// What begins every physical name.
pub(crate) const PREFIX: &str = "${NetworkName}-${Stage}-";
/// The stacks that hold functions, by the name of their file.
const NAMES: [&str; 3] = ["bpp", "bap", "network"];

/// The templates as JSON.
#[derive(Clone)]
pub(crate) struct Stacks {
    /// `template.yaml`.
    pub(crate) root: Value,
    /// `infra/<name>.yaml`.
    pub(crate) nested: Vec<(&'static str, Value)>,
}

impl Stacks {
    pub(crate) fn read() -> Self {
        let nested = NAMES.iter().map(|name| (*name, yaml::parse(&source(&format!("infra/{name}.yaml")))));
        Self { root: yaml::parse(&source("template.yaml")), nested: nested.collect() }
    }

    /// The template of the function's role.
    pub(crate) fn of(&self, function: &Function) -> &Value {
        let name = match function.name.split('-').next().unwrap() {
            "gateway" | "registry" => "network",
            role => role,
        };
        &self.nested.iter().find(|(stack, _)| *stack == name).unwrap_or_else(|| panic!("no stack of {name}")).1
    }

    /// Every resource of a type, with its stack and logical id.
    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = (&'static str, &str, &Value)> {
        self.nested.iter().flat_map(move |(stack, template)| {
            let resources = template["Resources"].as_object().unwrap().iter();
            resources.filter(move |(_, it)| it["Type"] == kind).map(move |(id, it)| (*stack, id.as_str(), it))
        })
    }
}

/// What begins the names of the parameters that say who a function's subscriber is. Gateway and
/// registry share a stack, so the registry's have a prefix.
pub(crate) fn identity(function: &str) -> &'static str {
    if function.starts_with("registry-") { "Registry" } else { "" }
}

/// `bpp-on-select` as `BppOnSelect`.
pub(crate) fn pascal(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The physical name of a queue, table or function, as the template writes it.
pub(crate) fn physical(name: &str) -> Value {
    serde_json::json!({ "Fn::Sub": format!("{PREFIX}{name}") })
}

/// `X` of `!GetAtt X.<attribute>`.
pub(crate) fn owner<'a>(value: &'a Value, attribute: &str) -> Option<&'a str> {
    value["Fn::GetAtt"].as_str()?.strip_suffix(attribute)?.strip_suffix('.')
}

/// A value that may be one or a list.
pub(crate) fn listed(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// A function's own variables over those of `Globals`.
pub(crate) fn environment(template: &Value, function: &Value) -> serde_json::Map<String, Value> {
    let of = |value: &Value| value["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
    let mut all = of(&template["Globals"]["Function"]);
    all.extend(of(&function["Properties"]));
    all
}

/// The root gives each nested stack exactly the parameters it has.
pub(crate) fn check_root(stacks: &Stacks) -> Disagreements {
    let mut found = Disagreements::default();
    let mut nested = BTreeSet::new();
    for (id, resource) in stacks.root["Resources"].as_object().unwrap() {
        found.differs(
            &format!("template.yaml: type of {id}"),
            &resource["Type"],
            &"AWS::Serverless::Application".into(),
        );
        let location = resource["Properties"]["Location"].as_str().unwrap_or_default();
        let Some(name) = location.strip_prefix("infra/").and_then(|file| file.strip_suffix(".yaml")) else {
            found.unless(false, || format!("template.yaml: {id} is at {location:?}, expected infra/<name>.yaml"));
            continue;
        };
        nested.insert(name.to_owned());
        let template = yaml::parse(&source(location));
        let names = |value: &Value| value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let (given, taken): (BTreeSet<String>, BTreeSet<String>) =
            (names(&resource["Properties"]["Parameters"]), names(&template["Parameters"]));
        found.sets(&format!("template.yaml: parameters of {id}"), &given, &taken);
    }
    let expected = NAMES.iter().map(|name| (*name).to_owned()).chain(["observability".to_owned()]).collect();
    found.sets("template.yaml: nested stacks", &nested, &expected);
    found
}
