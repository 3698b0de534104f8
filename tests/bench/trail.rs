//! Trails as accounts really have them: the order of members, the sizes and the mixture of real records, none of them real.
//! Knows no rule. What was looked at to make them so is told in `docs/speed.md`.

use std::{fmt::Write as _, io::Write as _};

use bedrock_audit_tests::dice::Dice;
use flate2::{Compression, GzBuilder};

/// One trail file.
pub(crate) struct Trail {
    pub(crate) name: &'static str,
    pub(crate) records: usize,
    pub(crate) packed: Vec<u8>,
    pub(crate) unpacked: usize,
}

/// The files of the bench, by name, number of records and share of Bedrock's.
pub(crate) const FILES: [(&str, usize, usize); 12] = [
    ("small-0", 20, 0),
    ("small-1", 20, 1),
    ("small-10", 20, 10),
    ("small-100", 20, 100),
    ("typical-0", 500, 0),
    ("typical-1", 500, 1),
    ("typical-10", 500, 10),
    ("typical-100", 500, 100),
    ("large-0", 30_000, 0),
    ("large-1", 30_000, 1),
    ("large-10", 30_000, 10),
    ("large-100", 30_000, 100),
];

/// The same file in every run.
pub(crate) fn trail((name, records, share): (&'static str, usize, usize)) -> Trail {
    let mut dice = Dice::of_seed((records * 1_000 + share) as u64);
    let people = People::new(&mut dice);
    let mut text = "{\"Records\":[".to_owned();
    for number in 0..records {
        if number > 0 {
            text.push(',');
        }
        // Evenly spread, so that even a small file has its share.
        let bedrocks = (number + 1) * share / 100 > number * share / 100;
        record(&mut text, &mut dice, &people, bedrocks);
    }
    text.push_str("]}");
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(6));
    encoder.write_all(text.as_bytes()).expect("a vector takes everything");
    let packed = encoder.finish().expect("a vector takes everything");
    Trail { name, records, packed, unpacked: text.len() }
}

/// Who calls in an account: few roles, more sessions, a handful of tools.
struct People {
    roles: Vec<String>,
    sessions: Vec<(usize, String, String)>,
    agents: Vec<String>,
}

impl People {
    fn new(dice: &mut Dice<'_>) -> Self {
        const TEAMS: [&str; 8] = ["payments", "search", "platform", "data-lake", "checkout", "ml", "security", "web"];
        const USES: [&str; 6] = [
            "TaskRole",
            "ExecutionRole-1XJ5K2M9QW7RT",
            "deploy",
            "AWSReservedSSO_ReadOnly_8f2e",
            "lambda-role",
            "NodeInstanceRole",
        ];
        let roles: Vec<String> = (0..40).map(|_| format!("{}-prod-{}", dice.of(&TEAMS), dice.of(&USES))).collect();
        let session = |dice: &mut Dice<'_>| {
            let name = if dice.one_in(3) {
                format!("i-0{}", hex(dice, 16))
            } else {
                format!("{}-{}", dice.of(&TEAMS), hex(dice, 12))
            };
            (dice.below(40), name, capitals(dice, 16))
        };
        let sessions = (0..300).map(|_| session(dice)).collect();
        let mut agents: Vec<String> =
            ["lambda.amazonaws.com", "AWS Internal", "console.amazonaws.com", "ec2.amazonaws.com"]
                .map(str::to_owned)
                .to_vec();
        for number in 0..16 {
            agents.push(format!(
                "[aws-sdk-java/2.2{number}.{} Linux/5.10.2{} Java/17.0.9 vendor/Amazon.com_Inc. exec-env/AWS_ECS_FARGATE io/sync http/Apache cfg/retry-mode/standard]",
                dice.below(90), dice.below(90)
            ));
            agents.push(format!("Boto3/1.3{number}.{} md/Botocore#1.3{number}.1 ua/2.0 os/linux#6.1.{} md/arch#x86_64 lang/python#3.12.1 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.3{number}.1", dice.below(90), dice.below(90)));
        }
        Self { roles, sessions, agents }
    }
}

fn hex(dice: &mut Dice<'_>, length: usize) -> String {
    letters(dice, length, b"0123456789abcdef")
}

fn capitals(dice: &mut Dice<'_>, length: usize) -> String {
    letters(dice, length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
}

fn letters(dice: &mut Dice<'_>, length: usize, alphabet: &[u8]) -> String {
    (0..length).map(|_| char::from(dice.of(alphabet))).collect()
}

fn uuid(dice: &mut Dice<'_>) -> String {
    [8, 4, 4, 4, 12].map(|length| hex(dice, length)).join("-")
}

/// Calls that a trail is full of: source, name, request, response, whether it reads. `~` is a random word.
const CALLS: &[(&str, &str, &str, &str, bool)] = &[
    (
        "s3.amazonaws.com",
        "GetObject",
        r#"{"bucketName":"payments-prod-artifacts","Host":"payments-prod-artifacts.s3.eu-central-1.amazonaws.com","key":"builds/~/~.tar.gz"}"#,
        "null",
        true,
    ),
    (
        "s3.amazonaws.com",
        "GetBucketAcl",
        r#"{"bucketName":"aws-cloudtrail-logs-111122223333-~","Host":"s3.eu-central-1.amazonaws.com","acl":""}"#,
        "null",
        true,
    ),
    (
        "sts.amazonaws.com",
        "AssumeRole",
        r#"{"roleArn":"arn:aws:iam::111122223333:role/platform-prod-deploy","roleSessionName":"~","durationSeconds":3600}"#,
        r#"{"credentials":{"accessKeyId":"ASIA~","sessionToken":"IQoJb3JpZ2luX2VjE~~~~~~~~~~~~","expiration":"Nov 22, 2026, 10:15:00 AM"},"assumedRoleUser":{"assumedRoleId":"AROA~:~","arn":"arn:aws:sts::111122223333:assumed-role/platform-prod-deploy/~"}}"#,
        true,
    ),
    (
        "kms.amazonaws.com",
        "Decrypt",
        r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::data-lake-prod/raw/~","kms:ViaService":"s3.eu-central-1.amazonaws.com"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#,
        "null",
        true,
    ),
    (
        "kms.amazonaws.com",
        "GenerateDataKey",
        r#"{"keyId":"arn:aws:kms:eu-central-1:111122223333:key/~","encryptionContext":{"aws:dynamodb:tableName":"orders","aws:dynamodb:subscriberId":"111122223333"},"keySpec":"AES_256"}"#,
        "null",
        true,
    ),
    (
        "ec2.amazonaws.com",
        "DescribeInstances",
        r#"{"instancesSet":{},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"}]}},{"name":"tag:team","valueSet":{"items":[{"value":"~"}]}}]}}"#,
        "null",
        true,
    ),
    (
        "ec2.amazonaws.com",
        "DescribeNetworkInterfaces",
        r#"{"networkInterfaceIdSet":{"items":[{"networkInterfaceId":"eni-~"},{"networkInterfaceId":"eni-~"}]},"filterSet":{}}"#,
        "null",
        true,
    ),
    (
        "ec2.amazonaws.com",
        "RunInstances",
        r#"{"instancesSet":{"items":[{"imageId":"ami-~","minCount":1,"maxCount":1,"keyName":"platform"}]},"instanceType":"m7g.large","blockDeviceMapping":{},"availabilityZone":"eu-central-1a","monitoring":{"enabled":false},"subnetId":"subnet-~","disableApiTermination":false,"clientToken":"~","iamInstanceProfile":{"arn":"arn:aws:iam::111122223333:instance-profile/node"},"tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"team","value":"search"},{"key":"Name","value":"search-~"}]}]}}"#,
        r#"{"requestId":"~","reservationId":"r-~","ownerId":"111122223333","groupSet":{},"instancesSet":{"items":[{"instanceId":"i-~","imageId":"ami-~","instanceState":{"code":0,"name":"pending"},"privateDnsName":"ip-10-0-1-~.eu-central-1.compute.internal","amiLaunchIndex":0,"productCodes":{},"instanceType":"m7g.large","launchTime":1795338900000,"placement":{"availabilityZone":"eu-central-1a","tenancy":"default"},"monitoring":{"state":"disabled"},"subnetId":"subnet-~","vpcId":"vpc-~","privateIpAddress":"10.0.1.17","stateReason":{"code":"pending","message":"pending"},"architecture":"arm64","rootDeviceType":"ebs","rootDeviceName":"/dev/xvda","blockDeviceMapping":{},"virtualizationType":"hvm","hypervisor":"xen","groupSet":{"items":[{"groupId":"sg-~","groupName":"nodes"}]},"sourceDestCheck":true,"networkInterfaceSet":{"items":[{"networkInterfaceId":"eni-~","subnetId":"subnet-~","vpcId":"vpc-~","ownerId":"111122223333","status":"in-use","macAddress":"0a:~","privateIpAddress":"10.0.1.17"}]}}]}}"#,
        false,
    ),
    (
        "logs.amazonaws.com",
        "CreateLogStream",
        r#"{"logGroupName":"/aws/lambda/checkout-prod","logStreamName":"2026/11/22/[$LATEST]~"}"#,
        "null",
        false,
    ),
    (
        "logs.amazonaws.com",
        "DescribeLogGroups",
        r#"{"logGroupNamePrefix":"/aws/lambda/","limit":50,"nextToken":"~~~~"}"#,
        "null",
        true,
    ),
    ("dynamodb.amazonaws.com", "DescribeTable", r#"{"tableName":"orders-~"}"#, "null", true),
    (
        "ssm.amazonaws.com",
        "GetParametersByPath",
        r#"{"path":"/prod/checkout/","recursive":true,"withDecryption":true,"maxResults":10,"nextToken":"~~~"}"#,
        "null",
        true,
    ),
    (
        "ssm.amazonaws.com",
        "UpdateInstanceInformation",
        r#"{"instanceId":"i-~","agentVersion":"3.3.1230.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.0.3.44","computerName":"ip-10-0-3-44.eu-central-1.compute.internal","agentName":"amazon-ssm-agent","availabilityZone":"eu-central-1b","sSMConnectionChannel":"ssmmessages"}"#,
        "null",
        false,
    ),
    (
        "ecr.amazonaws.com",
        "BatchGetImage",
        r#"{"repositoryName":"platform/checkout","imageIds":[{"imageTag":"~"}],"acceptedMediaTypes":["application/vnd.docker.distribution.manifest.v2+json","application/vnd.oci.image.manifest.v1+json"],"registryId":"111122223333"}"#,
        "null",
        true,
    ),
    (
        "lambda.amazonaws.com",
        "GetFunction20150331v2",
        r#"{"functionName":"arn:aws:lambda:eu-central-1:111122223333:function:~"}"#,
        "null",
        true,
    ),
    ("iam.amazonaws.com", "GetRole", r#"{"roleName":"AmazonBedrockExecutionRoleForAgents_~"}"#, "null", true),
    ("monitoring.amazonaws.com", "DescribeAlarms", r#"{"alarmNames":["~","~"],"maxRecords":100}"#, "null", true),
    (
        "elasticloadbalancing.amazonaws.com",
        "DescribeTargetHealth",
        r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/web/~"}"#,
        "null",
        true,
    ),
    (
        "secretsmanager.amazonaws.com",
        "GetSecretValue",
        r#"{"secretId":"arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/checkout/db-~"}"#,
        "null",
        true,
    ),
];

/// One in two thousand calls changes what somebody may do.
const RARE_CALLS: &[(&str, &str, &str, &str, bool)] = &[(
    "iam.amazonaws.com",
    "PutRolePolicy",
    r#"{"roleName":"data-~","policyName":"inline","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:ListBucket\"],\"Resource\":\"arn:aws:s3:::data-lake-prod/*\"},{\"Effect\":\"Allow\",\"Action\":\"bedrock:InvokeModel\",\"Resource\":\"*\"}]}"}"#,
    "null",
    false,
)];

/// Calls of Bedrock's: nearly all run a model, few change anything.
const BEDROCK_CALLS: &[(&str, &str, &str, &str, bool)] = &[
    (
        "bedrock.amazonaws.com",
        "InvokeModel",
        r#"{"modelId":"eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}"#,
        "null",
        true,
    ),
    (
        "bedrock.amazonaws.com",
        "InvokeModelWithResponseStream",
        r#"{"modelId":"arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}"#,
        "null",
        true,
    ),
    ("bedrock.amazonaws.com", "Converse", r#"{"modelId":"eu.amazon.nova-pro-v1:0"}"#, "null", true),
    ("bedrock.amazonaws.com", "ConverseStream", r#"{"modelId":"amazon.nova-lite-v1:0"}"#, "null", true),
    (
        "bedrock.amazonaws.com",
        "ApplyGuardrail",
        r#"{"guardrailIdentifier":"gr4example7k2","guardrailVersion":"3","source":"INPUT","content":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
        "null",
        true,
    ),
    (
        "bedrock.amazonaws.com",
        "Retrieve",
        r#"{"knowledgeBaseId":"KB~","retrievalQuery":"HIDDEN_DUE_TO_SECURITY_REASONS","retrievalConfiguration":{"vectorSearchConfiguration":{"numberOfResults":8}}}"#,
        "null",
        true,
    ),
    (
        "bedrock.amazonaws.com",
        "InvokeAgent",
        r#"{"agentId":"AG~","agentAliasId":"TSTALIASID","sessionId":"~","inputText":"HIDDEN_DUE_TO_SECURITY_REASONS","enableTrace":false}"#,
        "null",
        true,
    ),
    ("bedrock.amazonaws.com", "ListFoundationModels", "null", "null", true),
    (
        "bedrock.amazonaws.com",
        "GetGuardrail",
        r#"{"guardrailIdentifier":"gr4example7k2","guardrailVersion":"DRAFT"}"#,
        "null",
        true,
    ),
    (
        "bedrock-agentcore.amazonaws.com",
        "InvokeAgentRuntime",
        r#"{"agentRuntimeArn":"arn:aws:bedrock-agentcore:eu-central-1:111122223333:runtime/support-~","runtimeSessionId":"~"}"#,
        "null",
        true,
    ),
];

/// One in five hundred of Bedrock's records is something to look at.
const ALARMING: &[(&str, &str, &str, &str, bool)] = &[
    ("bedrock.amazonaws.com", "DeleteGuardrail", r#"{"guardrailIdentifier":"gr~"}"#, "null", false),
    (
        "bedrock.amazonaws.com",
        "UpdateAgent",
        r#"{"agentId":"AG~","agentName":"support","instruction":"HIDDEN_DUE_TO_SECURITY_REASONS","foundationModel":"amazon.nova-pro-v1:0"}"#,
        "null",
        false,
    ),
    ("bedrock.amazonaws.com", "DeleteModelInvocationLoggingConfiguration", "null", "null", false),
];

fn record(text: &mut String, dice: &mut Dice<'_>, people: &People, bedrocks: bool) {
    let (source, name, request, response, read_only) = match bedrocks {
        true if dice.one_in(500) => dice.of(ALARMING),
        true => dice.of(BEDROCK_CALLS),
        false if dice.one_in(2_000) => dice.of(RARE_CALLS),
        false => dice.of(CALLS),
    };
    text.push_str(r#"{"eventVersion":"1.11","userIdentity":"#);
    identity(text, dice, people);
    let second = dice.below(300);
    let agent = &people.agents[dice.below(people.agents.len())];
    let address = if dice.one_in(4) {
        source.to_owned()
    } else {
        format!("10.{}.{}.{}", dice.below(4), dice.below(256), dice.below(256))
    };
    write!(
        text,
        r#","eventTime":"2026-11-22T09:{:02}:{:02}Z","eventSource":"{source}","eventName":"{name}","awsRegion":"eu-central-1","sourceIPAddress":"{address}","userAgent":"{agent}","#,
        10 + second / 60, second % 60
    )
    .expect("a string takes everything");
    if dice.one_in(25) {
        write!(text, r#""errorCode":"AccessDenied","errorMessage":"User: arn:aws:sts::111122223333:assumed-role/{} is not authorized to perform: {name} because no identity-based policy allows the action","#, people.roles[dice.below(40)])
            .expect("a string takes everything");
    }
    text.push_str(r#""requestParameters":"#);
    with_words(text, dice, request);
    text.push_str(r#","responseElements":"#);
    with_words(text, dice, response);
    if source == "s3.amazonaws.com" {
        write!(text, r#","additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{}=","bytesTransferredOut":{}}}"#, letters(dice, 72, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"), dice.below(100_000))
            .expect("a string takes everything");
    }
    write!(text, r#","requestID":"{}","eventID":"{}","readOnly":{read_only}"#, uuid(dice), uuid(dice))
        .expect("a string takes everything");
    if source == "s3.amazonaws.com" || source == "kms.amazonaws.com" {
        write!(text, r#","resources":[{{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"arn:aws:kms:eu-central-1:111122223333:key/{}"}}]"#, uuid(dice))
            .expect("a string takes everything");
    }
    write!(
        text,
        r#","eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{}.eu-central-1.amazonaws.com"}}"#,
        source.split('.').next().unwrap_or_default()
    )
    .expect("a string takes everything");
    // A few records are ten or fifty times the usual size.
    if dice.one_in(80) {
        let items: Vec<String> = (0..dice.of(&[8, 16, 32, 400]))
            .map(|_| format!(r#"{{"id":"{}","note":"a \"quoted\" word"}}"#, uuid(dice)))
            .collect();
        write!(text, r#","serviceEventDetails":{{"items":[{}]}}"#, items.join(",")).expect("a string takes everything");
    }
    text.push('}');
}

fn identity(text: &mut String, dice: &mut Dice<'_>, people: &People) {
    if dice.one_in(12) {
        text.push_str(r#"{"type":"AWSService","invokedBy":"autoscaling.amazonaws.com"}"#);
        return;
    }
    let (role, session, key) = &people.sessions[dice.below(people.sessions.len())];
    let role = &people.roles[*role];
    let suffix = if dice.one_in(3) { r#","ec2RoleDelivery":"2.0""# } else { "" };
    write!(
        text,
        r#"{{"type":"AssumedRole","principalId":"AROA{key}:{session}","arn":"arn:aws:sts::111122223333:assumed-role/{role}/{session}","accountId":"111122223333","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{key}","arn":"arn:aws:iam::111122223333:role/{role}","accountId":"111122223333","userName":"{role}"}},"attributes":{{"creationDate":"2026-11-22T0{}:{:02}:12Z","mfaAuthenticated":"false"}}{suffix}}}}}"#,
        dice.below(9), dice.below(60)
    )
    .expect("a string takes everything");
}

fn with_words(text: &mut String, dice: &mut Dice<'_>, template: &str) {
    for (number, part) in template.split('~').enumerate() {
        if number > 0 {
            text.push_str(&letters(dice, 14, b"abcdefghijklmnopqrstuvwxyz0123456789"));
        }
        text.push_str(part);
    }
}
