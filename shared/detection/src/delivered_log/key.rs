//! Tells from an object's key what CloudTrail put there. Knows nothing of buckets or of the content.

/// What lies behind a key of a log bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectKind {
    /// A delivered log with API-call records.
    Log {
        /// The account whose calls are recorded, as the folder names it.
        account: String,
        /// The Region that the log covers.
        region: String,
    },
    /// Something else, which is counted and left alone.
    Other {
        /// The folder that says what it is (`CloudTrail-Digest`, `Config`, ...), or why it is none of ours.
        folder: String,
    },
}

/// The folders whose files hold API-call records. `CloudTrail-Insight` and `CloudTrail-Aggregated` have other schemas,
/// `CloudTrail-Digest` holds signatures.
const LOG_FOLDERS: [&str; 2] = ["CloudTrail", "CloudTrail-NetworkActivity"];

/// Reads `[prefix/]AWSLogs/[o-.../]ACCOUNT/FOLDER/REGION/YYYY/MM/DD/....json.gz`.
///
/// The decision is by folder, never by a piece of text somewhere in the key: a prefix, a trail or a file may well be
/// called "CloudTrail-Digest". The documentation does not spell out every file name, so the name is only asked for its end.
#[must_use]
pub fn classify(key: &str) -> ObjectKind {
    let parts: Vec<&str> = key.split('/').collect();
    for (at, _) in parts.iter().enumerate().filter(|(_, part)| **part == "AWSLogs") {
        let mut rest = parts.iter().skip(at + 1).copied().peekable();
        rest.next_if(|part| is_organization(part));
        let (Some(account), Some(folder)) = (rest.next(), rest.next()) else { continue };
        if !is_account(account) {
            continue;
        }
        let (Some(region), Some(file)) = (rest.next(), parts.last()) else {
            return ObjectKind::Other { folder: folder.to_owned() };
        };
        let complete = rest.next().is_some() && file.ends_with(".json.gz");
        return if LOG_FOLDERS.contains(&folder) && complete {
            ObjectKind::Log { account: account.to_owned(), region: region.to_owned() }
        } else {
            ObjectKind::Other { folder: folder.to_owned() }
        };
    }
    ObjectKind::Other { folder: "not under AWSLogs".to_owned() }
}

fn is_account(part: &str) -> bool {
    part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_organization(part: &str) -> bool {
    part.strip_prefix("o-").is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(account: &str, region: &str) -> ObjectKind {
        ObjectKind::Log { account: account.into(), region: region.into() }
    }

    fn other(folder: &str) -> ObjectKind {
        ObjectKind::Other { folder: folder.into() }
    }

    #[test]
    fn logs_are_known_by_their_folder() {
        let file = "111122223333_CloudTrail_eu-central-1_20261122T0915Z_aBcDeFgHiJkLmNoP.json.gz";
        for (key, expected) in [
            (
                format!("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/22/{file}"),
                log("111122223333", "eu-central-1"),
            ),
            (
                format!("AWSLogs/o-exampleorgid/111122223333/CloudTrail/us-east-1/2026/11/22/{file}"),
                log("111122223333", "us-east-1"),
            ),
            (
                format!("a/b/AWSLogs/111122223333/CloudTrail-NetworkActivity/us-east-1/2026/11/22/{file}"),
                log("111122223333", "us-east-1"),
            ),
            (
                format!("AWSLogs/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/22/{file}"),
                log("111122223333", "us-east-1"),
            ),
            // Names that would fool a search in the whole key.
            (
                format!("CloudTrail-Digest/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/22/{file}"),
                log("111122223333", "us-east-1"),
            ),
            (
                "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/22/x_CloudTrail-Digest_y.json.gz".into(),
                log("111122223333", "us-east-1"),
            ),
            (format!("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/11/22/{file}"), other("CloudTrail-Digest")),
            (
                format!("AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2026/11/22/{file}"),
                other("CloudTrail-Insight"),
            ),
            (
                format!("AWSLogs/111122223333/CloudTrail-Aggregated/us-east-1/2026/11/22/{file}"),
                other("CloudTrail-Aggregated"),
            ),
            ("AWSLogs/111122223333/Config/us-east-1/2026/11/22/x.json.gz".into(), other("Config")),
            // A prefix of twelve letters is no account.
            (
                format!("AWSLogs/logs-archive/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/22/{file}"),
                log("111122223333", "us-east-1"),
            ),
            ("AWSLogs/111122223333/CloudTrail/".into(), other("CloudTrail")),
            ("AWSLogs/111122223333/CloudTrail/x.json.gz".into(), other("CloudTrail")),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/22/".into(), other("CloudTrail")),
            (format!("elsewhere/111122223333/CloudTrail/us-east-1/{file}"), other("not under AWSLogs")),
            (String::new(), other("not under AWSLogs")),
        ] {
            assert_eq!(classify(&key), expected, "{key}");
        }
    }
}
