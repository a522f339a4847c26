//! A deployment and how AWS is reached for it.
//!
//! Invariant: credentials, region and endpoint are those the AWS SDK finds by itself. Only for an endpoint on
//! this machine, where none are checked, are missing ones made up.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use beckn_health_platform::store::Tables;

use crate::failure::Failure;

/// The SDK's variable for the endpoint of all services.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// Longest wait for a connection: an endpoint that is not there is told at once.
const CONNECT: Duration = Duration::from_secs(5);

/// The name of a deployment, `<NetworkName>-<Stage>`: 1 to 64 letters, digits and hyphens, no hyphen at an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentName(String);

/// A name that no deployment can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected <NetworkName>-<Stage>, e.g. beckn-health-dev: 1 to 64 letters, digits and hyphens, no hyphen at an end"
)]
pub struct InvalidDeploymentName;

impl FromStr for DeploymentName {
    type Err = InvalidDeploymentName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidDeploymentName) }
    }
}

impl fmt::Display for DeploymentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A deployment that can be operated.
#[derive(Debug, Clone)]
pub struct Deployment {
    name: DeploymentName,
    aws: SdkConfig,
    endpoint: Option<String>,
}

impl Deployment {
    /// The deployment as the environment reaches it: profile or keys, `AWS_REGION`, `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// No region is set.
    pub async fn from_env(name: DeploymentName) -> Result<Self, Failure> {
        let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let endpoint = std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty());
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if endpoint.as_deref().is_some_and(is_on_this_machine) {
            if !set("AWS_REGION") && !set("AWS_DEFAULT_REGION") && !set("AWS_PROFILE") {
                loader = loader.region(local_region());
            }
            if !set("AWS_ACCESS_KEY_ID") && !set("AWS_PROFILE") {
                loader = loader.credentials_provider(local_credentials());
            }
        }
        let aws = loader.timeout_config(timeouts()).load().await;
        if aws.region().is_none() {
            return Err(Failure(
                "no AWS region is set: set AWS_REGION or a profile that has one; for a local network set \
                 AWS_ENDPOINT_URL to what `beckn-health up --aws-port` prints"
                    .to_owned(),
            ));
        }
        Ok(Self { name, aws, endpoint })
    }

    /// The deployment behind an endpoint that checks no credentials, such as that of a local network.
    pub async fn at(name: DeploymentName, endpoint: &str) -> Self {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(local_region())
            .credentials_provider(local_credentials())
            .endpoint_url(endpoint)
            .timeout_config(timeouts());
        Self { name, aws: loader.load().await, endpoint: Some(endpoint.to_owned()) }
    }

    /// Its name.
    pub fn name(&self) -> &DeploymentName {
        &self.name
    }

    /// The full name of a table, queue or function of it.
    pub fn full(&self, short: &str) -> String {
        format!("{}-{short}", self.name)
    }

    /// Its tables.
    pub fn tables(&self) -> Tables {
        Tables::new(aws_sdk_dynamodb::Client::new(&self.aws), format!("{}-", self.name))
    }

    /// SQS.
    pub(super) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.aws)
    }

    /// Secrets Manager.
    pub(crate) fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.aws)
    }

    /// CloudWatch Logs.
    pub(super) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.aws)
    }

    /// Where it is, for people: the endpoint or the region.
    pub(super) fn place(&self) -> String {
        match (&self.endpoint, self.aws.region()) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(region)) => format!("the region {region}"),
            (None, None) => "AWS".to_owned(),
        }
    }

    /// What went wrong with a call, and what to do. `doing` says what was to be done.
    pub(super) fn failed<E, R>(&self, doing: &str, error: &SdkError<E, R>) -> Failure
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: fmt::Debug,
    {
        match error.as_service_error() {
            Some(fault) => self.refused(doing, fault.code().unwrap_or_default(), fault.message().unwrap_or_default()),
            None => self.unanswered(doing, &DisplayErrorContext(error).to_string()),
        }
    }

    /// The same for a call that the tables made, whose errors are text: `DynamoDB <operation> on <table>: <code>:
    /// <message>`.
    pub(super) fn table_failed(&self, doing: &str, error: &dyn fmt::Display) -> Failure {
        let text = error.to_string();
        let parts: Vec<&str> = text.split(": ").collect();
        let is_code = |part: &&str| part.ends_with("Exception") || part.ends_with("Error");
        let code = parts.iter().position(|part| is_code(part) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        match code.and_then(|place| Some((parts.get(place)?, parts.get(place + 1..)?))) {
            Some((code, message)) => self.refused(doing, code, &message.join(": ")),
            None => self.unanswered(doing, &text),
        }
    }

    /// AWS answered no.
    fn refused(&self, doing: &str, code: &str, message: &str) -> Failure {
        let name = &self.name;
        Failure(match code {
            "ResourceNotFoundException" | "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" => format!(
                "{doing}: there is no such thing at {}; check --deployment (now {name}), AWS_REGION and AWS_PROFILE",
                self.place()
            ),
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "KMSAccessDeniedException" => {
                format!("{doing}: access denied; ask for the permission that AWS names: {message}")
            }
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature" => format!(
                "{doing}: AWS does not accept the credentials ({code}); sign in again, and check AWS_PROFILE and the \
                 machine's clock"
            ),
            "UnknownOperationException" => {
                format!("{doing}: {} does not offer this; {message}", self.place())
            }
            _ => format!("{doing}: AWS answered {code}: {message}"),
        })
    }

    /// The call did not reach AWS, or nothing usable came back.
    fn unanswered(&self, doing: &str, text: &str) -> Failure {
        let lower = text.to_ascii_lowercase();
        let sign_in = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with single sign-on: \
                       `eval \"$(aws configure export-credentials --format env)\"`)";
        Failure(if lower.contains("credential") || lower.contains("following cargo feature") {
            format!("{doing}: no usable AWS credentials were found; {sign_in}")
        } else if lower.contains("dispatch failure") || lower.contains("timeout") || lower.contains("timed out") {
            format!("{doing}: {} does not answer; check AWS_ENDPOINT_URL, AWS_REGION and the network", self.place())
        } else {
            format!("{doing}: {text}")
        })
    }
}

fn local_region() -> Region {
    Region::new("us-east-1")
}

fn local_credentials() -> Credentials {
    Credentials::new("local", "local", None, None, "beckn-health")
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).build()
}

/// Whether a URL's host is this machine.
fn is_on_this_machine(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(ipv6) => ipv6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_deployment_has_a_name_that_aws_takes() {
        for name in ["beckn-health-dev", "n", "Net2-prod"] {
            assert_eq!(name.parse::<DeploymentName>().unwrap().to_string(), name);
        }
        for name in ["", "beckn-health-dev-", "-dev", "a b", "a_b", "näh-dev", &"x".repeat(65)] {
            assert_eq!(name.parse::<DeploymentName>(), Err(InvalidDeploymentName), "{name}");
        }
    }

    #[test]
    fn an_endpoint_on_this_machine_is_told_from_others() {
        for url in ["http://127.0.0.1:4566", "http://localhost", "http://[::1]:80/x", "https://127.9.9.9/"] {
            assert!(is_on_this_machine(url), "{url}");
        }
        for url in ["https://sqs.eu-west-1.amazonaws.com", "http://localhost.example", "http://10.0.0.1:4566", ""] {
            assert!(!is_on_this_machine(url), "{url}");
        }
    }

    #[tokio::test]
    async fn a_failure_says_what_to_do() {
        let deployment = Deployment::at("beckn-health-dev".parse().unwrap(), "http://127.0.0.1:1").await;
        let refused = |code: &str| deployment.refused("listing the queues", code, "needs sqs:ListQueues").0;
        assert!(refused("AccessDenied").contains("ask for the permission that AWS names: needs sqs:ListQueues"));
        assert!(refused("ExpiredToken").contains("sign in again"));
        assert!(refused("ResourceNotFoundException").contains("check --deployment (now beckn-health-dev)"));
        assert!(refused("Throttling").contains("AWS answered Throttling"));
        assert!(deployment.unanswered("x", "failed to load credentials").0.contains("set AWS_PROFILE"));

        let told = |text: &str| deployment.table_failed("writing", &text).0;
        assert!(told("DynamoDB Query on t: AccessDeniedException: needs dynamodb:Query").contains("access denied"));
        assert!(told("DynamoDB Query on t: ResourceNotFoundException: no").contains("check --deployment"));
        assert!(told("DynamoDB Query on t: dispatch failure: io error: refused").contains("does not answer"));
        assert_eq!(told("DynamoDB read on t: malformed item: row"), "writing: DynamoDB read on t: malformed item: row");

        let queues = deployment.sqs().list_queues().send().await.unwrap_err();
        let failure = deployment.failed("listing the queues", &queues).0;
        assert_eq!(
            failure,
            "listing the queues: http://127.0.0.1:1 does not answer; check AWS_ENDPOINT_URL, AWS_REGION and the network"
        );
    }
}
