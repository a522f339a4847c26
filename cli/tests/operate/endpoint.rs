//! The port that `up --aws-port` opens.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use beckn_health::network::aws;
use beckn_health::network::identity::Role;
use beckn_health_platform::participant::ring::KeyRing;

use crate::Local;

/// What a function's SDK makes of the variables that `beckn-health env` prints.
pub(crate) async fn sdk(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(endpoint)
        .load()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_answers_as_three_services() {
    let local = Local::start().await;
    let sdk = sdk(&local.aws).await;

    let tables = aws_sdk_dynamodb::Client::new(&sdk).list_tables().send().await.unwrap();
    assert!(tables.table_names().contains(&"beckn-health-local-bpp-orders".to_owned()), "{tables:?}");

    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let url = sqs.get_queue_url().queue_name("beckn-health-local-bpp-on-init-dlq").send().await.unwrap();
    let sent = sqs.send_message().queue_url(url.queue_url().unwrap()).message_body("hello").send().await.unwrap();
    assert!(sent.message_id().is_some());
    let by_this_host = format!("{}/000000000000/beckn-health-local-bpp-on-init-dlq", local.aws);
    let received = sqs.receive_message().queue_url(by_this_host).send().await.unwrap();
    assert_eq!(received.messages()[0].body(), Some("hello"));

    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    let secret = secrets.get_secret_value().secret_id(aws::secret_name(Role::Bpp)).send().await.unwrap();
    let ring = KeyRing::parse(secret.secret_string().unwrap().as_bytes(), None).unwrap();
    let participant = &local.network.role(Role::Bpp).participant;
    assert_eq!(ring.active().signing.to_base64(), participant.keys.held().unwrap().active().signing.to_base64());
    let by_arn = secrets.get_secret_value().secret_id(secret.arn().unwrap()).send().await.unwrap();
    assert_eq!(by_arn.name(), Some("beckn-health-local/bpp"));
    let absent = secrets.get_secret_value().secret_id("somebody-else").send().await.unwrap_err();
    assert!(absent.into_service_error().is_resource_not_found_exception());
    let unknown = secrets.list_secrets().send().await.unwrap_err();
    assert_eq!(unknown.code(), Some("UnknownOperationException"));
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_browser_gets_no_secret() {
    let local = Local::start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = |name: &'static str, value: &'static str| {
        let request = http.post(&local.aws).header("x-amz-target", "secretsmanager.GetSecretValue");
        request.header(name, value).body(r#"{"SecretId":"beckn-health-local/bpp"}"#).send()
    };
    assert_eq!(ask("x-anything", "else").await.unwrap().status(), 200);
    for (name, value) in [("origin", "https://page.example"), ("host", "rebound.example")] {
        let answer = ask(name, value).await.unwrap();
        assert_eq!(answer.status(), 403, "{name}");
        assert!(!answer.text().await.unwrap().contains("SecretString"));
    }
    let other = http.post(&local.aws).header("x-amz-target", "Logs_20140328.DescribeLogGroups").send().await.unwrap();
    assert_eq!(other.status(), 400);
    local.network.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let first = aws::Port::take(0).await.unwrap();
    let taken = first.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let failure = aws::Port::take(taken).await.err().unwrap().to_string();
    assert!(failure.contains("another program listens there; choose another port with --aws-port"), "{failure}");
}
