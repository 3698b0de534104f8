//! Where AWS documents an operation. Knows event sources and event names, and no record.

use crate::operations::Operations;

const SITE: &str = "https://docs.aws.amazon.com/";

/// Where the API references of services other than Bedrock's have their operations, by event source without `.amazonaws.com`. Not
/// here: services of which CloudTrail writes many a name that is no operation of an API (`signin`, `sso`).
const REFERENCES: [(&str, &str); 17] = [
    ("agreement-marketplace", "marketplace/latest/APIReference/API_marketplace-agreements_"),
    ("cloudformation", "AWSCloudFormation/latest/APIReference/API_"),
    ("cloudtrail", "awscloudtrail/latest/APIReference/API_"),
    ("ec2", "AWSEC2/latest/APIReference/API_"),
    ("events", "eventbridge/latest/APIReference/API_"),
    ("iam", "IAM/latest/APIReference/API_"),
    ("kms", "kms/latest/APIReference/API_"),
    ("lambda", "lambda/latest/api/API_"),
    ("logs", "AmazonCloudWatchLogs/latest/APIReference/API_"),
    ("monitoring", "AmazonCloudWatch/latest/APIReference/API_"),
    ("organizations", "organizations/latest/APIReference/API_"),
    ("ram", "ram/latest/APIReference/API_"),
    ("s3", "AmazonS3/latest/API/API_"),
    ("servicequotas", "servicequotas/2019-06-24/apireference/API_"),
    ("sns", "sns/latest/api/API_"),
    ("sqs", "AWSSimpleQueueService/latest/APIReference/API_"),
    ("sts", "STS/latest/APIReference/API_"),
];

/// The page about an operation; nothing where none is known, or the name is not what AWS's are: it stands in a record, and would
/// be part of a link.
pub(crate) fn page(operations: &Operations, event_source: &str, event_name: &str) -> Option<String> {
    if operations.get(event_source, event_name).is_some() {
        return operations.page(event_source, event_name).map(|page| format!("{SITE}{page}"));
    }
    let service = event_source.strip_suffix(".amazonaws.com")?;
    let (_, reference) = REFERENCES.iter().find(|(known, _)| *known == service)?;
    let operation = operation(service, event_name);
    let plain = operation.len() <= 64 && operation.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (plain && !operation.is_empty()).then(|| format!("{SITE}{reference}{operation}.html"))
}

/// The operation that CloudTrail gives this name.
fn operation<'a>(service: &str, event_name: &'a str) -> &'a str {
    match (service, event_name) {
        ("lambda", name) => undated(name),
        ("s3", "DeleteBucketPublicAccessBlock") => "DeletePublicAccessBlock",
        ("s3", "PutBucketLifecycle") => "PutBucketLifecycleConfiguration",
        ("s3", "PutBucketNotification") => "PutBucketNotificationConfiguration",
        ("s3", "PutBucketObjectLockConfiguration") => "PutObjectLockConfiguration",
        ("s3", "PutBucketPublicAccessBlock") => "PutPublicAccessBlock",
        (_, name) => name,
    }
}

/// `UpdateFunctionCode` for `UpdateFunctionCode20150331v2`.
fn undated(name: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let dated = name.rsplit_once('v').filter(|(_, version)| digits(version)).map_or(name, |(dated, _)| dated);
    match dated.split_at_checked(dated.len().saturating_sub(8)) {
        Some((undated, date)) if digits(date) => undated,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_the_page_that_aws_gave_it() {
        let operations = Operations::builtin();
        for (source, name, expected) in [
            ("bedrock", "DeleteGuardrail", "bedrock/latest/APIReference/API_DeleteGuardrail.html"),
            ("bedrock", "InvokeModel", "bedrock/latest/APIReference/API_runtime_InvokeModel.html"),
            ("bedrock", "CreateAgent", "bedrock/latest/APIReference/API_agent_CreateAgent.html"),
            ("bedrock", "InvokeAgent", "bedrock/latest/APIReference/API_agent-runtime_InvokeAgent.html"),
            ("bedrock", "CreateBlueprint", "bedrock/latest/APIReference/API_data-automation_CreateBlueprint.html"),
            (
                "bedrock",
                "InvokeDataAutomationAsync",
                "bedrock/latest/APIReference/API_data-automation-runtime_InvokeDataAutomationAsync.html",
            ),
            // Two of Bedrock's services have one, and a record does not say which it was.
            ("bedrock", "PutResourcePolicy", "bedrock/latest/APIReference/API_PutResourcePolicy.html"),
            (
                "bedrock-agentcore",
                "CreateGateway",
                "bedrock-agentcore-control/latest/APIReference/API_CreateGateway.html",
            ),
            ("bedrock-agentcore", "CreateEvent", "bedrock-agentcore/latest/APIReference/API_CreateEvent.html"),
            ("bedrock-mantle", "CreateInference", "bedrock/latest/userguide/logging-cloudtrail-mantle.html"),
            ("agent-registry", "CreateRegistry", "agent-registry-control/latest/APIReference/API_CreateRegistry.html"),
            ("iam", "CreateAccessKey", "IAM/latest/APIReference/API_CreateAccessKey.html"),
            ("s3", "PutBucketNotification", "AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html"),
            ("s3", "DeleteBucket", "AmazonS3/latest/API/API_DeleteBucket.html"),
            ("lambda", "UpdateFunctionCode20150331v2", "lambda/latest/api/API_UpdateFunctionCode.html"),
            ("lambda", "DeleteFunction20150331", "lambda/latest/api/API_DeleteFunction.html"),
            ("lambda", "PutFunctionEventInvokeConfig", "lambda/latest/api/API_PutFunctionEventInvokeConfig.html"),
            ("lambda", "Invoke", "lambda/latest/api/API_Invoke.html"),
        ] {
            let expected = Some(format!("https://docs.aws.amazon.com/{expected}"));
            assert_eq!(page(&operations, &format!("{source}.amazonaws.com"), name), expected, "{source} {name}");
        }
    }

    #[test]
    fn what_has_no_page_gets_none() {
        let operations = Operations::builtin();
        for (source, name) in [
            ("bedrock.amazonaws.com", "PutFoundationModelEntitlement"),
            ("bedrock.amazonaws.com", "AnOperationThatNobodyKnows"),
            ("signin.amazonaws.com", "ConsoleLogin"),
            ("iam.amazonaws.com", ""),
            ("iam.amazonaws.com", "../../evil"),
            ("iam.amazonaws.com", "Create\u{e4}User"),
            ("lambda.amazonaws.com", "20150331"),
            ("iam.example.com", "CreateUser"),
            ("more than one", "more than one"),
        ] {
            assert_eq!(page(&operations, source, name), None, "{source} {name}");
        }
    }
}
