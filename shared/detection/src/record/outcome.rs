//! What became of a call. Knows the ways in which AWS says no.

use serde_json::Value;

use super::Record;

/// What became of the call that a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was accepted, and is perhaps still running.
    Success,
    /// It was refused for want of permission.
    Denied,
    /// It was refused or broke for another reason.
    Failed,
    /// There was no call: the finding is about a file.
    NotApplicable,
}

impl Outcome {
    /// The word that stands in findings, attributes and proofs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::NotApplicable => "not_applicable",
        }
    }

    /// Reads it from `errorCode` and, for an AgentCore gateway, which leaves that out, from
    /// `responseElements.statusCode`.
    #[must_use]
    pub fn of(record: &Record<'_>) -> Self {
        if let Some(code) = record.error_code() {
            let code = code.strip_prefix("Client.").unwrap_or(code);
            let denied =
                code.starts_with("AccessDenied") || code == "UnauthorizedOperation" || code == "VpceAccessDenied";
            return if denied { Self::Denied } else { Self::Failed };
        }
        match gateway_status(record) {
            Some(401 | 403) => Self::Denied,
            Some(400..) => Self::Failed,
            _ if record.text("errorMessage").is_some() => Self::Failed,
            _ => Self::Success,
        }
    }
}

fn gateway_status(record: &Record<'_>) -> Option<u64> {
    // Other services have a `statusCode` of their own that says nothing about permission.
    if record.event_source() != "bedrock-agentcore.amazonaws.com" {
        return None;
    }
    match record.at("responseElements.statusCode")? {
        Value::Number(status) => status.as_u64(),
        Value::String(status) => status.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_way_of_saying_no_is_known() {
        let with = |code: &str| json!({"eventSource": "bedrock.amazonaws.com", "errorCode": code});
        let gateway = |status: Value| json!({"eventSource": "bedrock-agentcore.amazonaws.com", "responseElements": {"statusCode": status}});
        for (record, expected) in [
            (json!({"eventSource": "bedrock.amazonaws.com", "responseElements": null}), Outcome::Success),
            (json!({"errorCode": "", "errorMessage": ""}), Outcome::Success),
            (with("AccessDenied"), Outcome::Denied),
            (with("AccessDeniedException"), Outcome::Denied),
            (with("Client.UnauthorizedOperation"), Outcome::Denied),
            (with("UnauthorizedOperation"), Outcome::Denied),
            (with("VpceAccessDenied"), Outcome::Denied),
            (with("ValidationException"), Outcome::Failed),
            (with("ThrottlingException"), Outcome::Failed),
            (json!({"errorMessage": "Failed authentication"}), Outcome::Failed),
            (gateway(json!(401)), Outcome::Denied),
            (gateway(json!("403")), Outcome::Denied),
            (gateway(json!(500)), Outcome::Failed),
            (gateway(json!(200)), Outcome::Success),
            (json!({"eventSource": "other.amazonaws.com", "responseElements": {"statusCode": 403}}), Outcome::Success),
        ] {
            assert_eq!(Outcome::of(&Record::new(&record)), expected, "{record}");
        }
    }
}
