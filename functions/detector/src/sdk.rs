//! How patient the SDK is, and how it connects: the same for every client. Knows no service.

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// One pool of connections for all clients. Left to themselves, each makes one like it, and reads the certificates of all the
/// world's authorities again, which is a good part of a start.
#[must_use]
pub fn https() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
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
    use aws_config::retry::RetryMode;

    use super::*;

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
