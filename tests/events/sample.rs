//! One file of `events/`.

use std::path::{Path, PathBuf};

use beckn_health::commands::events::files;
use beckn_health_platform::function::Function;
use jiff::Timestamp;
use serde_json::Value;

/// A sample event.
pub(crate) struct Sample {
    pub(crate) path: PathBuf,
    pub(crate) function: Function,
    pub(crate) case: String,
    pub(crate) event: Value,
    /// When it happens.
    pub(crate) at: Timestamp,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("events")
}

impl Sample {
    pub(crate) fn all() -> Vec<Self> {
        let files = files(&folder()).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert!(!files.is_empty());
        files
            .into_iter()
            .map(|path| {
                let bytes = std::fs::read(&path).unwrap();
                Self::read(path, &bytes)
            })
            .collect()
    }

    pub(crate) fn read(path: PathBuf, bytes: &[u8]) -> Self {
        let name = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let function = beckn_health_functions::all().find(|function| function.name == name);
        let event: Value = serde_json::from_slice(bytes).unwrap();
        let at = match &event["Records"][0] {
            Value::Null if event["source"] == "aws.scheduler" => event["time"].as_str().unwrap().parse(),
            Value::Null => Timestamp::from_millisecond(event["requestContext"]["timeEpoch"].as_i64().unwrap()),
            record if record["eventSource"] == "aws:sqs" => {
                let sent = record["attributes"]["SentTimestamp"].as_str().unwrap();
                Timestamp::from_millisecond(sent.parse().unwrap())
            }
            record => Timestamp::from_second(record["dynamodb"]["ApproximateCreationDateTime"].as_i64().unwrap()),
        };
        Self {
            function: function.unwrap_or_else(|| panic!("{name} is no function")),
            case: path.file_stem().unwrap().to_string_lossy().into_owned(),
            at: at.unwrap(),
            event,
            path,
        }
    }

    /// `bpp-select/quote`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.function.name, self.case)
    }

    /// The message in it: the body of the request, or of the first record.
    pub(crate) fn message(&self) -> Value {
        let body = self.event["body"].as_str().or_else(|| self.event["Records"][0]["body"].as_str());
        body.map_or(Value::Null, |body| serde_json::from_str(body).unwrap())
    }

    /// The action of the message that a queue function sends for it: the callback, or the message itself
    /// where it is only carried on.
    pub(crate) fn sends(&self) -> String {
        let own = || self.message()["context"]["action"].as_str().unwrap_or_default().to_owned();
        self.function.name.strip_prefix("bpp-on-").map_or_else(own, |action| format!("on_{action}"))
    }

    /// The order whose hold is in the record of a change.
    pub(crate) fn order_id(&self) -> Option<&str> {
        self.event["Records"][0]["dynamodb"]["OldImage"]["order_id"]["S"].as_str()
    }

    pub(crate) fn message_id(&self) -> String {
        self.message()["context"]["message_id"].as_str().unwrap_or_default().to_owned()
    }
}
