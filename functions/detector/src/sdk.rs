//! How patient the SDK is, and how it connects: the same for every client. Knows no service.

use std::{thread, time::Duration};

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder, Connector, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    connector_metadata::ConnectorMetadata,
    http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};

/// One pool of connections for all clients. Left to themselves, each makes one like it, and reads the certificates of all the
/// world's authorities again, which is a good part of a start. Here they are read once, beside what else a start does.
#[must_use]
pub fn https() -> SharedHttpClient {
    // Where there is no thread to be had, the first request reads them.
    drop(thread::Builder::new().name("authorities".to_owned()).spawn(|| drop(connector(None, None))));
    SharedHttpClient::new(Unasked(Builder::new().build_with_connector_fn(connector)))
}

/// The first connector reads the certificates; those after it share them.
fn connector(settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>) -> Connector {
    let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    connector.set_connector_settings(settings.cloned());
    if let Some(components) = components {
        connector.set_sleep_impl(components.sleep_impl());
    }
    connector.set_proxy_config(Some(ProxyConfig::from_env()));
    connector.build()
}

/// A client that makes its connector when the first request asks for it. The SDK's own makes one more whenever it becomes part of
/// a service's client, and throws it away.
#[derive(Debug)]
struct Unasked(SharedHttpClient);

impl HttpClient for Unasked {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

/// Standard mode: throttling, 5xx and broken connections are tried again, with pauses that grow.
#[must_use]
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4)
}

/// Half a minute for all attempts at a request; none of them may use up the time of the others.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(12))
        .operation_timeout(Duration::from_secs(30))
        .build()
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use aws_config::{BehaviorVersion, Region, retry::RetryMode};

    use super::*;

    #[test]
    fn no_connector_is_made_before_a_request() {
        let made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&made);
        let counting = Builder::new().build_with_connector_fn(move |settings, components| {
            counted.fetch_add(1, Ordering::Relaxed);
            connector(settings, components)
        });
        let config = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-central-1"))
            .http_client(SharedHttpClient::new(Unasked(counting)));
        drop(aws_sdk_sns::Client::from_conf(config.build()));
        assert_eq!(made.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_attempt_that_hangs_leaves_time_for_another() {
        let set = timeouts();
        let [connect, read, attempt, operation] =
            [set.connect_timeout(), set.read_timeout(), set.operation_attempt_timeout(), set.operation_timeout()]
                .map(|timeout| timeout.expect("every timeout is set"));
        assert!(connect < read && read < attempt && attempt * 2 < operation);
        assert!(retries().max_attempts() > 1);
        assert_eq!(retries().mode(), RetryMode::Standard);
    }
}
