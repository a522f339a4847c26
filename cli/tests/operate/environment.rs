//! `env`: what a function outside the process is given is what the network's own functions have.

use std::collections::BTreeMap;

use beckn_health::commands::env::{usual_identity, variables};
use beckn_health::network::identity::Role;
use beckn_health_platform::participant::ring::KeyRing;
use beckn_health_platform::queue::Queues;
use beckn_health_platform::settings::Settings;
use beckn_health_platform::store::{Tables, table};

use crate::Local;
use crate::endpoint::sdk;

fn port_of(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_given_what_the_network_itself_has() {
    let local = Local::start().await;
    for role in Role::ALL {
        let own = local.network.role(role);
        let (port, aws_port) = (port_of(&local.network.base_url()), port_of(&local.aws));
        let given: BTreeMap<&str, String> =
            variables(role, &usual_identity(role).unwrap(), port, aws_port).into_iter().collect();
        let settings = Settings::from_env(|name| given.get(name).cloned()).unwrap();
        // The queues are the same by another address.
        let own_settings = Settings { queue_url_prefix: settings.queue_url_prefix.clone(), ..own.settings.clone() };
        assert_eq!(format!("{settings:?}"), format!("{own_settings:?}"));
        assert_eq!(given["SUBSCRIBER_ID"], own.participant.subscriber_id.to_string());
        assert_eq!(given["SUBSCRIBER_URL"], own.participant.url);
        assert_eq!(given["SUBSCRIBER_TYPE"], own.participant.role.to_string());

        let aws = sdk(&given["AWS_ENDPOINT_URL"]).await;
        let secret = aws_sdk_secretsmanager::Client::new(&aws).get_secret_value();
        let secret = secret.secret_id(&given["SIGNING_KEY_SECRET"]).send().await.unwrap();
        let ring = KeyRing::parse(secret.secret_string().unwrap().as_bytes(), None).unwrap();
        assert_eq!(given["KEY_ID"], ring.active().key_id.to_string());
        let tables = Tables::new(aws_sdk_dynamodb::Client::new(&aws), settings.table_prefix.clone());
        for short in table::ALL {
            tables.client().describe_table().table_name(tables.name(short)).send().await.unwrap();
        }
    }
    local.network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_outside_sends_to_one_inside() {
    let local = Local::start().await;
    let aws_port = port_of(&local.aws);
    let given: BTreeMap<&str, String> =
        variables(Role::Bpp, &usual_identity(Role::Bpp).unwrap(), 1, aws_port).into_iter().collect();
    let aws = sdk(&given["AWS_ENDPOINT_URL"]).await;
    let queues = Queues::new(aws_sdk_sqs::Client::new(&aws), given["QUEUE_URL_PREFIX"].clone());
    let sqs = aws_sdk_sqs::Client::new(&aws);
    // To a dead-letter queue, which no function empties.
    let url = format!("{}bpp-on-select-dlq", given["QUEUE_URL_PREFIX"]);
    sqs.send_message().queue_url(url).message_body("from outside").send().await.unwrap();
    assert_eq!(local.network.sqs().depth("bpp-on-select-dlq").await.unwrap().visible, 1);
    let failure = queues.change_visibility("bpp-on-select-dlq", "nonsense", std::time::Duration::ZERO).await;
    assert!(failure.unwrap_err().to_string().contains("ReceiptHandleIsInvalid"));
    local.network.stop().await;
}
