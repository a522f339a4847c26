//! The embedded DynamoDB: the same SDK calls as on AWS, answered by SQLite in this process.

use std::net::SocketAddr;
use std::path::Path;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification,
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
    /// Where it is served.
    pub(super) address: SocketAddr,
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
    Ok(Embedded { database, client, address })
}

/// Deletes what has long lapsed every hour until `stop`, as DynamoDB does in its own time.
pub(super) async fn sweep(database: Database, mut stop: watch::Receiver<bool>) {
    const PAUSE: std::time::Duration = std::time::Duration::from_secs(3_600);
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.wait_for(|stopped| *stopped) => return,
        }
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(deleted)) => tracing::debug!(deleted, "lapsed items deleted"),
            Ok(Err(problem)) => tracing::warn!(%problem, "lapsed items not deleted"),
            Err(_) => return,
        }
    }
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
        if let Some(view) = stream_view(short) {
            let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(view).build();
            call = call.stream_specification(stream.map_err(|error| error.to_string())?);
        }
        for name in indexes(short) {
            let (hash, range) = (format!("{name}_pk"), format!("{name}_sk"));
            let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
            let index = GlobalSecondaryIndex::builder()
                .index_name(*name)
                .key_schema(element(&hash, KeyType::Hash)?)
                .key_schema(element(&range, KeyType::Range)?)
                .projection(keys_only)
                .build()
                .map_err(|error| error.to_string())?;
            call = call
                .attribute_definitions(definition(&hash)?)
                .attribute_definitions(definition(&range)?)
                .global_secondary_indexes(index);
        }
        call.send()
            .await
            .map_err(|error| format!("{name}: {}", aws_sdk_dynamodb::error::DisplayErrorContext(&error)))?;
        if table::LAPSING.contains(&short) {
            let lapsing = TimeToLiveSpecification::builder().attribute_name("expires_at").enabled(true).build();
            client
                .update_time_to_live()
                .table_name(&name)
                .time_to_live_specification(lapsing.map_err(|error| error.to_string())?)
                .send()
                .await
                .map_err(|error| format!("{name}: {}", aws_sdk_dynamodb::error::DisplayErrorContext(&error)))?;
        }
    }
    Ok(())
}

/// What the stream of a table carries, if it has one.
fn stream_view(table: &str) -> Option<StreamViewType> {
    match table {
        table::CATALOGUE => Some(StreamViewType::KeysOnly),
        table::SLOTS => Some(StreamViewType::OldImage),
        _ => None,
    }
}

/// The keys-only indexes of a table; their keys are `<name>_pk` and `<name>_sk`.
fn indexes(table: &str) -> &'static [&'static str] {
    match table {
        table::PARTICIPANTS => &["served", "keyed"],
        table::SLOTS => &["due"],
        _ => &[],
    }
}

fn definition(name: &str) -> Result<AttributeDefinition, String> {
    let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
    definition.build().map_err(|error| error.to_string())
}

fn element(name: &str, kind: KeyType) -> Result<KeySchemaElement, String> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(|error| error.to_string())
}
