//! The checks themselves: a template in which one thing is wrong is found out, and the thing is named.

use serde_json::{Value, json};

use crate::stacks::{self, Stacks};
use crate::{Disagreements, functions, policies, queues, tables};

type Check = fn(&Stacks) -> Disagreements;

pub(crate) fn check() {
    let cases: &[(&str, Check, &str, Value)] = &[
        ("BppSelectFunction", functions::check, "/Resources/BppSelectFunction", Value::Null),
        (
            "bpp-select: Binary",
            functions::check,
            "/Resources/BppSelectFunction/Metadata/BuildProperties/Binary",
            json!("bpp-init"),
        ),
        (
            "bpp-select: route",
            functions::check,
            "/Resources/BppSelectFunction/Properties/Events/Http/Properties/Path",
            json!("/bpp/chosen"),
        ),
        ("bpp-on-select: Timeout", functions::check, "/Resources/BppOnSelectFunction/Properties/Timeout", json!(10)),
        (
            "registry-lookup: variable KEY_ID",
            functions::check,
            "/Resources/RegistryLookupFunction/Properties/Environment/Variables/KEY_ID",
            json!({ "Ref": "KeyId" }),
        ),
        (
            "registry-lookup: actions on registry-participants: dynamodb:ConditionCheckItem is one too many",
            policies::check,
            "/Resources/RegistryLookupFunction/Properties/Policies/0/Statement/0/Action",
            json!("dynamodb:ConditionCheckItem"),
        ),
        ("KEY_ID", functions::check, "/Globals/Function/Environment/Variables/KEY_ID", Value::Null),
        (
            "bpp-on-select: tables",
            policies::check,
            "/Resources/BppOnSelectFunction/Properties/Policies/0/Statement/2/Resource",
            json!({ "Fn::GetAtt": "BppOrdersTable.Arn" }),
        ),
        (
            "bpp-on-select: actions on bpp-slots: dynamodb:BatchGetItem is one too many",
            policies::check,
            "/Resources/BppOnSelectFunction/Properties/Policies/0/Statement/3/Action",
            json!(["dynamodb:BatchGetItem", "dynamodb:Query"]),
        ),
        (
            "bpp-on-init: actions on bpp-slots: dynamodb:DeleteItem is missing",
            policies::check,
            "/Resources/BppOnInitFunction/Properties/Policies/0/Statement/3/Action",
            json!(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"]),
        ),
        (
            "bpp-on-init: partitions of bpp-replies",
            policies::check,
            "/Resources/BppOnInitFunction/Properties/Policies/0/Statement/5/Condition/ForAllValues:StringLike/dynamodb:LeadingKeys",
            json!("confirm#*"),
        ),
        (
            "bpp-expire: partitions of bpp-replies is None",
            policies::check,
            "/Resources/BppExpireFunction/Properties/Policies/0/Statement/2/Condition",
            Value::Null,
        ),
        (
            "bpp-select: queues it may send to",
            policies::check,
            "/Resources/BppSelectFunction/Properties/Policies/0/Statement/0/Resource",
            json!({ "Fn::GetAtt": "BppOnInitQueue.Arn" }),
        ),
        (
            "bpp-select: may sqs:SendMessage on \"*\"",
            policies::check,
            "/Resources/BppSelectFunction/Properties/Policies/0/Statement/0/Resource",
            json!("*"),
        ),
        (
            "bpp-index: SIGNING_KEY_SECRET",
            policies::check,
            "/Resources/BppIndexFunction/Properties/Environment/Variables/SIGNING_KEY_SECRET",
            json!({ "Ref": "SigningKeySecretArn" }),
        ),
        (
            "bpp-on-select: does not deny",
            policies::check,
            "/Resources/BppOnSelectFunction/Properties/Policies/0/Statement/1/Effect",
            json!("Allow"),
        ),
        (
            "queue bpp-on-select: visibility is 30 s",
            queues::check,
            "/Resources/BppOnSelectQueue/Properties/VisibilityTimeout",
            json!(30),
        ),
        (
            "queue bpp-callbacks: maxReceiveCount",
            queues::check,
            "/Resources/BppCallbacksQueue/Properties/RedrivePolicy/maxReceiveCount",
            json!(5),
        ),
        ("queue bpp-on-init-dlq: retention", queues::check, "/Resources/BppOnInitDlq/Properties", json!({})),
        (
            "table bpp-catalogue: stream",
            tables::check,
            "/Resources/BppCatalogueTable/Properties/StreamSpecification/StreamViewType",
            json!("NEW_IMAGE"),
        ),
        (
            "table bpp-slots: deletes by",
            tables::check,
            "/Resources/BppSlotsTable/Properties/TimeToLiveSpecification",
            Value::Null,
        ),
        (
            "table bpp-orders: keys",
            tables::check,
            "/Resources/BppOrdersTable/Properties/KeySchema/1/AttributeName",
            json!("sort"),
        ),
        (
            "bpp-tick: schedule is",
            functions::check,
            "/Resources/BppTickFunction/Properties/Events/Clock/Properties/ScheduleExpression",
            json!("rate(5 minutes)"),
        ),
        ("bpp-tick: runs 60 s", functions::check, "/Resources/BppTickFunction/Properties/Timeout", json!(60)),
        (
            "bpp-tick: repetitions",
            functions::check,
            "/Resources/BppTickFunction/Properties/EventInvokeConfig/MaximumRetryAttempts",
            json!(2),
        ),
        (
            "bpp-tick: tables it may use: BppSlotsTable is missing",
            policies::check,
            "/Resources/BppTickFunction/Properties/Policies/0/Statement",
            json!([]),
        ),
        (
            "indexes that functions may query: BppSlotsTable/due is missing",
            policies::check,
            "/Resources/BppTickFunction/Properties/Policies/0/Statement/0/Resource",
            json!({ "Fn::Sub": "${BppSlotsTable.Arn}/index/dew" }),
        ),
        (
            "bpp-tick: may dynamodb:Scan",
            policies::check,
            "/Resources/BppTickFunction/Properties/Policies/0/Statement/0/Action",
            json!("dynamodb:Scan"),
        ),
        (
            "bpp-expire: stream",
            functions::check,
            "/Resources/BppExpireFunction/Properties/Events/Slots/Properties/Stream",
            json!({ "Fn::GetAtt": "BppCatalogueTable.StreamArn" }),
        ),
        (
            "bpp-expire: changes it hears of",
            functions::check,
            "/Resources/BppExpireFunction/Properties/Events/Slots/Properties/FilterCriteria/Filters/0/Pattern",
            json!(r#"{"eventName":["INSERT"]}"#),
        ),
        (
            "bpp-expire: does not deny",
            policies::check,
            "/Resources/BppExpireFunction/Properties/Policies/0/Statement/0/NotResource",
            json!({ "Fn::GetAtt": "BppCatalogueTable.StreamArn" }),
        ),
        (
            "queue bpp-expire: dead-letter queue",
            queues::check,
            "/Resources/BppExpireFunction/Properties/Events/Slots/Properties/DestinationConfig/OnFailure/Destination",
            json!({ "Fn::GetAtt": "BppIndexDlq.Arn" }),
        ),
        (
            "table bpp-slots: stream",
            tables::check,
            "/Resources/BppSlotsTable/Properties/StreamSpecification/StreamViewType",
            json!("KEYS_ONLY"),
        ),
        (
            "table bpp-slots: indexes",
            tables::check,
            "/Resources/BppSlotsTable/Properties/GlobalSecondaryIndexes",
            Value::Null,
        ),
        (
            "the store never writes the index key lapses_at",
            tables::check,
            "/Resources/BppSlotsTable/Properties/GlobalSecondaryIndexes/0/KeySchema/0/AttributeName",
            json!("lapses_at"),
        ),
    ];
    let sound = Stacks::read();
    for (expected, check, place, value) in cases {
        let mut spoilt = sound.clone();
        let mut stacks = spoilt.nested.iter_mut();
        let part = stacks.find_map(|(_, template)| template.pointer_mut(place));
        *part.unwrap_or_else(|| panic!("no template has {place}")) = value.clone();
        let found = check(&spoilt).0;
        assert!(found.iter().any(|what| what.contains(expected)), "{place} spoilt, {expected} not named: {found:?}");
    }
    let mut spoilt = sound;
    spoilt.root["Resources"]["Bpp"]["Properties"]["Parameters"]["Wrong"] = json!("x");
    assert!(stacks::check_root(&spoilt).0.iter().any(|what| what.contains("parameters of Bpp")));
}
