//! YAML as JSON.
//!
//! Invariant: a CloudFormation tag becomes its long form (`!Ref X` is `{"Ref": "X"}`, `!Sub X` is
//! `{"Fn::Sub": "X"}`, `!GetAtt A.B` is `{"Fn::GetAtt": "A.B"}`), so nothing of a template is lost.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

/// The one document of a YAML text.
pub(crate) fn parse(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).expect("well-formed YAML");
    let [document] = documents.as_slice() else { panic!("expected one YAML document, found {}", documents.len()) };
    value(document)
}

fn value(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(boolean)) => Value::from(*boolean),
        Yaml::Value(Scalar::Integer(integer)) => Value::from(*integer),
        Yaml::Value(Scalar::FloatingPoint(number)) => Value::from(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(entries) => {
            entries.iter().map(|(key, entry)| (name(&value(key)), value(entry))).collect::<Map<_, _>>().into()
        }
        Yaml::Tagged(tag, node) => {
            let function = match tag.suffix.as_str() {
                "Ref" | "Condition" => tag.suffix.clone(),
                other => format!("Fn::{other}"),
            };
            Map::from_iter([(function, value(node))]).into()
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => panic!("unexpected YAML node: {node:?}"),
    }
}

/// A key as text; numbers and truth values may be keys in YAML.
fn name(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
