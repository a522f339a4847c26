//! The embedded DynamoDB: the same SDK calls as on AWS, answered by SQLite in this process.

use std::path::Path;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType,
};
use beckn_health_platform::store::table;
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::StartError;

/// A running embedded DynamoDB.
pub(super) struct Embedded {
    /// Direct access, for the stream.
    pub(super) database: Database,
    /// A client of it.
    pub(super) client: aws_sdk_dynamodb::Client,
}

/// Opens the database (in memory without `data`), serves it on a loopback port for as long as
/// `stop` has a sender, and makes the tables that are missing.
pub(super) async fn start(
    data: Option<&Path>,
    prefix: &str,
    mut stop: watch::Receiver<bool>,
) -> Result<Embedded, StartError> {
    let failed = |problem: String| StartError::Storage(problem);
    let database = match data {
        None => Database::memory(),
        Some(folder) => Database::new(&folder.join("dynamodb.sqlite").to_string_lossy()),
    };
    let database = database.map_err(|error| failed(error.to_string()))?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| failed(error.to_string()))?;
    let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
    let served = database.clone();
    tokio::spawn(async move {
        let stopped = async move {
            let _ = stop.wait_for(|stopped| *stopped).await;
        };
        if let Err(problem) = dynoxide::server::serve_with_shutdown(listener, served, stopped).await {
            tracing::error!(problem, "embedded DynamoDB stopped");
        }
    });
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_dynamodb::config::Credentials::new("local", "local", None, None, "embedded"))
        .endpoint_url(format!("http://{address}"))
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    create_tables(&client, prefix).await.map_err(failed)?;
    Ok(Embedded { database, client })
}

/// Switches the catalogue's stream off or on. The embedded stream numbers each record by counting all
/// before it, so a large catalogue is stored with the stream off.
pub(super) async fn set_catalogue_stream(
    client: &aws_sdk_dynamodb::Client,
    prefix: &str,
    on: bool,
) -> Result<(), StartError> {
    let failed = |problem: String| StartError::Storage(problem);
    let mut stream = StreamSpecification::builder().stream_enabled(on);
    if on {
        stream = stream.stream_view_type(StreamViewType::KeysOnly);
    }
    let stream = stream.build().map_err(|error| failed(error.to_string()))?;
    client
        .update_table()
        .table_name(format!("{prefix}{}", table::CATALOGUE))
        .stream_specification(stream)
        .send()
        .await
        .map(|_| ())
        .map_err(|error| failed(aws_sdk_dynamodb::error::DisplayErrorContext(&error).to_string()))
}

/// The tables as `infra/` describes them; the drift test compares the two.
async fn create_tables(client: &aws_sdk_dynamodb::Client, prefix: &str) -> Result<(), String> {
    let mut existing = Vec::new();
    let mut pages = client.list_tables().into_paginator().items().send();
    while let Some(name) = pages.next().await {
        existing.push(name.map_err(|error| error.to_string())?);
    }
    for short in table::ALL {
        let name = format!("{prefix}{short}");
        if existing.contains(&name) {
            continue;
        }
        let mut call = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
        for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            call = call.attribute_definitions(definition(attribute)?).key_schema(element(attribute, kind)?);
        }
        if short == table::CATALOGUE {
            let stream =
                StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::KeysOnly).build();
            call = call.stream_specification(stream.map_err(|error| error.to_string())?);
        }
        if short == table::PARTICIPANTS {
            let index = GlobalSecondaryIndex::builder()
                .index_name("served")
                .key_schema(element("served_pk", KeyType::Hash)?)
                .key_schema(element("served_sk", KeyType::Range)?)
                .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
                .build()
                .map_err(|error| error.to_string())?;
            call = call
                .attribute_definitions(definition("served_pk")?)
                .attribute_definitions(definition("served_sk")?)
                .global_secondary_indexes(index);
        }
        call.send()
            .await
            .map_err(|error| format!("{name}: {}", aws_sdk_dynamodb::error::DisplayErrorContext(&error)))?;
    }
    Ok(())
}

fn definition(name: &str) -> Result<AttributeDefinition, String> {
    let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
    definition.build().map_err(|error| error.to_string())
}

fn element(name: &str, kind: KeyType) -> Result<KeySchemaElement, String> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(|error| error.to_string())
}
