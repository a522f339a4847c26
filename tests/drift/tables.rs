//! Tables: names, keys, lapse, stream and index, in `infra/`, in the store and in the local network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use beckn_health::network::identity::Role;
use beckn_health::network::{Config, Network};
use beckn_health_platform::clock::SystemClock;
use beckn_health_platform::function::Trigger;
use beckn_health_platform::store::table;
use beckn_health_protocol::dialect::Reading;
use serde_json::{Value, json};

use crate::actions::store;
use crate::stacks::{Stacks, pascal, physical};
use crate::{Disagreements, reads_what_was_removed};

pub(crate) fn check(stacks: &Stacks) -> Disagreements {
    let mut found = Disagreements::default();
    let streams = streams();
    for name in table::ALL {
        let deployed = stacks.all("AWS::DynamoDB::Table").find(|(_, id, _)| *id == format!("{}Table", pascal(name)));
        match deployed {
            None => found.unless(false, || format!("table {name}: infra has no {}Table", pascal(name))),
            Some((_, _, table)) => one(&mut found, name, table, streams.get(name).copied()),
        }
        let used = beckn_health_functions::all().any(|function| function.tables.contains(&name));
        found.unless(used, || format!("table {name}: no function uses it"));
    }
    let known: BTreeSet<String> = table::ALL.iter().map(|name| format!("{}Table", pascal(name))).collect();
    for (stack, id, _) in stacks.all("AWS::DynamoDB::Table") {
        found.unless(known.contains(id), || format!("infra/{stack}.yaml: {id} is no table of the store"));
    }
    for function in beckn_health_functions::all() {
        for name in function.tables {
            found.unless(table::ALL.contains(name), || format!("{}: {name} is no table of the store", function.name));
        }
    }
    found
}

/// What the stream of each table that has one must carry: the keys, or for a function that looks at what was
/// deleted the row as it was.
fn streams() -> BTreeMap<&'static str, &'static str> {
    let mut streams = BTreeMap::new();
    for function in beckn_health_functions::all() {
        if let Trigger::Stream { table, .. } = function.trigger {
            let view = if reads_what_was_removed(function.name) { "OLD_IMAGE" } else { "KEYS_ONLY" };
            assert!(streams.insert(table, view).is_none(), "one stream feeds one function: {table}");
        }
    }
    streams
}

fn one(found: &mut Disagreements, name: &str, table: &Value, stream: Option<&str>) {
    let properties = &table["Properties"];
    found.differs(&format!("table {name}: name"), &properties["TableName"], &physical(name));
    found.differs(
        &format!("table {name}: keys"),
        &keys(properties),
        &vec!["pk HASH".to_owned(), "sk RANGE".to_owned()],
    );
    found.differs(&format!("table {name}: billing"), &properties["BillingMode"], &json!("PAY_PER_REQUEST"));
    for (what, policy) in [("deleted", "DeletionPolicy"), ("replaced", "UpdateReplacePolicy")] {
        found.unless(table[policy] == "Retain", || format!("table {name}: its data goes when it is {what}"));
    }
    let recovery = &properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
    found.differs(&format!("table {name}: point-in-time recovery"), recovery, &json!(true));
    let key = &properties["SSESpecification"]["KMSMasterKeyId"];
    found.differs(&format!("table {name}: key"), key, &json!({ "Fn::GetAtt": "Key.Arn" }));
    let view = properties["StreamSpecification"]["StreamViewType"].as_str();
    found.differs(&format!("table {name}: stream"), &view, &stream);

    let store = store(name);
    // What is written with `expires_at` is to be deleted by it.
    let lapses = store.contains(r#""expires_at""#);
    let deleted = properties["TimeToLiveSpecification"]["AttributeName"].as_str();
    found.differs(&format!("table {name}: deletes by"), &deleted, &lapses.then_some("expires_at"));

    let indexes: BTreeSet<&str> = properties["GlobalSecondaryIndexes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|index| index["IndexName"].as_str())
        .collect();
    // `index_keys(table::X, "<index>", …`: the first text after the call's name.
    let queried: BTreeSet<&str> =
        store.split(".index_keys(").skip(1).filter_map(|call| call.split('"').nth(1)).collect();
    found.differs(&format!("table {name}: indexes"), &indexes, &queried);
    let mut attributes = BTreeSet::from(["pk".to_owned(), "sk".to_owned()]);
    for index in properties["GlobalSecondaryIndexes"].as_array().into_iter().flatten() {
        let projection = &index["Projection"]["ProjectionType"];
        found.differs(&format!("table {name}: projection"), projection, &json!("KEYS_ONLY"));
        for attribute in index["KeySchema"].as_array().into_iter().flatten() {
            let attribute = attribute["AttributeName"].as_str().unwrap_or_default();
            let written = store.contains(&format!(r#".item("{attribute}""#));
            found.unless(written, || format!("table {name}: the store never writes the index key {attribute}"));
            attributes.insert(attribute.to_owned());
        }
    }
    let defined: BTreeSet<String> = properties["AttributeDefinitions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|definition| {
            found.differs(&format!("table {name}: type of {definition}"), &definition["AttributeType"], &json!("S"));
            definition["AttributeName"].as_str().unwrap_or_default().to_owned()
        })
        .collect();
    found.differs(&format!("table {name}: attributes"), &defined, &attributes);
}

/// The local network makes its tables itself: as it has made them, so `infra/` describes them.
pub(crate) async fn check_local(stacks: &Stacks) -> Disagreements {
    let mut found = Disagreements::default();
    let network = Network::start(Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        data: None,
        catalogue: None,
        clock: Arc::new(SystemClock),
        reading: Reading::Compat,
        callers: None,
    })
    .await
    .unwrap();
    let tables = network.role(Role::Bpp).tables.clone();
    for name in table::ALL {
        let (_, _, deployed) =
            stacks.all("AWS::DynamoDB::Table").find(|(_, id, _)| *id == format!("{}Table", pascal(name))).unwrap();
        let deployed = &deployed["Properties"];
        let made = tables.client().describe_table().table_name(tables.name(name)).send().await.unwrap().table.unwrap();
        let schema: Vec<String> = made
            .key_schema()
            .iter()
            .map(|key| format!("{} {}", key.attribute_name(), key.key_type().as_str()))
            .collect();
        found.differs(&format!("local table {name}: keys"), &schema, &keys(deployed));
        let stream = made
            .stream_specification()
            .filter(|stream| stream.stream_enabled())
            .and_then(|stream| stream.stream_view_type().map(|kind| kind.as_str().to_owned()));
        let expected = deployed["StreamSpecification"]["StreamViewType"].as_str().map(str::to_owned);
        found.differs(&format!("local table {name}: stream"), &stream, &expected);
        let indexes: BTreeSet<String> = made
            .global_secondary_indexes()
            .iter()
            .map(|index| {
                let keys = index.key_schema().iter();
                let keys: Vec<String> =
                    keys.map(|key| format!("{} {}", key.attribute_name(), key.key_type().as_str())).collect();
                let projection = index.projection().and_then(|all| all.projection_type()).map(|kind| kind.as_str());
                format!("{} {keys:?} {}", index.index_name().unwrap_or_default(), projection.unwrap_or_default())
            })
            .collect();
        let expected: BTreeSet<String> = deployed["GlobalSecondaryIndexes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|index| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                format!(
                    "{} {:?} {}",
                    text(&index["IndexName"]),
                    keys(index),
                    text(&index["Projection"]["ProjectionType"])
                )
            })
            .collect();
        found.differs(&format!("local table {name}: indexes"), &indexes, &expected);
    }
    network.stop().await;
    found
}

fn keys(properties: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let schema = properties["KeySchema"].as_array().into_iter().flatten();
    schema.map(|key| format!("{} {}", text(&key["AttributeName"]), text(&key["KeyType"]))).collect()
}
