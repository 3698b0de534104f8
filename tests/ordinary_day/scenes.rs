//! What happens once or twice on that day, planned by somebody: releases, a training run, newcomers, clearing up. Knows no rule.

use super::{
    company::Caller::{self, Administrator, CloudFormation, CommandLine, Newcomer, Person, Pipeline, TrainingPipeline},
    record::{Call, reads, writes},
};

/// Calls of one hour in one account, in their order.
pub(super) struct Scene {
    /// Position in the company's accounts.
    pub(super) account: usize,
    pub(super) hour: usize,
    pub(super) calls: &'static [Call],
}

const AGENT: &str = r#"{"agentId":"AGENTEX001","agentName":"support","instruction":"HIDDEN_DUE_TO_SECURITY_REASONS","foundationModel":"eu.anthropic.claude-sonnet-4-5-20250929-v1:0","idleSessionTTLInSeconds":600,"agentResourceRoleArn":"arn:aws:iam::$A:role/AmazonBedrockExecutionRoleForAgents_0example","guardrailConfiguration":{"guardrailIdentifier":"gr4example7k2","guardrailVersion":"3"}}"#;
const ACTION_GROUP: &str = r#"{"agentId":"AGENTEX001","agentVersion":"DRAFT","actionGroupId":"ACTIONEX01","actionGroupName":"orders","actionGroupExecutor":{"lambda":"arn:aws:lambda:$R:$A:function:orders"},"actionGroupState":"ENABLED"}"#;
const KNOWLEDGE_BASE: &str = r#"{"name":"handbook","roleArn":"arn:aws:iam::$A:role/service-role/AmazonBedrockExecutionRoleForKnowledgeBase_0example","knowledgeBaseConfiguration":{"type":"VECTOR","vectorKnowledgeBaseConfiguration":{"embeddingModelArn":"arn:aws:bedrock:$R::foundation-model/amazon.titan-embed-text-v2:0"}},"storageConfiguration":{"type":"OPENSEARCH_SERVERLESS","opensearchServerlessConfiguration":{"collectionArn":"arn:aws:aoss:$R:$A:collection/ex4mple","vectorIndexName":"handbook"}}}"#;
const DATA_SOURCE: &str = r#"{"knowledgeBaseId":"KBEXAMPLE1","dataSourceId":"DSEXAMPLE1","name":"handbook","dataSourceConfiguration":{"type":"S3","s3Configuration":{"bucketArn":"arn:aws:s3:::examplecorp-kb-handbook"}}}"#;
const INGESTION: &str = r#"{"knowledgeBaseId":"KBEXAMPLE1","dataSourceId":"DSEXAMPLE1"}"#;
const GATEWAY: &str = r#"{"gatewayIdentifier":"orders-gw-ex4mple1ab","name":"***","roleArn":"arn:aws:iam::$A:role/OrdersGateway","protocolType":"MCP","authorizerType":"CUSTOM_JWT","authorizerConfiguration":{"customJWTAuthorizer":{"discoveryUrl":"https://login.example.com/.well-known/openid-configuration","allowedClients":["example-client-7"]}},"policyEngineConfiguration":{"arn":"arn:aws:bedrock-agentcore:$R:$A:policy-engine/orders_pe-ex4mple1ab","mode":"ENFORCE"}}"#;

/// A release of an assistant, as two kinds of tools make it.
const fn release(by: Caller) -> [Call; 14] {
    [
        writes(
            by,
            "bedrock",
            "CreateGuardrail",
            r#"{"name":"HIDDEN_DUE_TO_SECURITY_REASONS","blockedInputMessaging":"HIDDEN_DUE_TO_SECURITY_REASONS","blockedOutputsMessaging":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
        ),
        writes(by, "bedrock", "CreateGuardrailVersion", r#"{"guardrailIdentifier":"gr4example7k2"}"#),
        writes(by, "bedrock", "CreateKnowledgeBase", KNOWLEDGE_BASE),
        writes(by, "bedrock", "CreateDataSource", DATA_SOURCE),
        writes(by, "bedrock", "UpdateDataSource", DATA_SOURCE),
        writes(by, "bedrock", "StartIngestionJob", INGESTION),
        writes(by, "bedrock", "CreateAgent", AGENT),
        writes(by, "bedrock", "CreateAgentActionGroup", ACTION_GROUP),
        writes(
            by,
            "bedrock",
            "AssociateAgentKnowledgeBase",
            r#"{"agentId":"AGENTEX001","agentVersion":"DRAFT","knowledgeBaseId":"KBEXAMPLE1","description":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
        ),
        writes(by, "bedrock", "UpdateAgent", AGENT),
        writes(by, "bedrock", "UpdateAgentActionGroup", ACTION_GROUP),
        writes(by, "bedrock", "PrepareAgent", r#"{"agentId":"AGENTEX001"}"#),
        writes(
            by,
            "bedrock",
            "UpdateAgentAlias",
            r#"{"agentId":"AGENTEX001","agentAliasId":"ALIASEX001","agentAliasName":"live","routingConfiguration":[{"agentVersion":"7"}]}"#,
        ),
        writes(
            by,
            "bedrock",
            "UpdatePrompt",
            r#"{"promptIdentifier":"PROMPTEX01","name":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
        ),
    ]
}

const BY_TERRAFORM: &[Call] = &release(Pipeline);
const BY_CLOUDFORMATION: &[Call] = &release(CloudFormation);

const GUARDRAIL_TUNED: &[Call] = &[
    writes(
        Pipeline,
        "bedrock",
        "UpdateGuardrail",
        r#"{"guardrailIdentifier":"gr4example7k2","name":"HIDDEN_DUE_TO_SECURITY_REASONS","blockedInputMessaging":"HIDDEN_DUE_TO_SECURITY_REASONS","blockedOutputsMessaging":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
    ),
    writes(Pipeline, "bedrock", "CreateGuardrailVersion", r#"{"guardrailIdentifier":"gr4example7k2"}"#),
];

const AGENTCORE_RELEASE: &[Call] = &[
    writes(
        Pipeline,
        "bedrock-agentcore",
        "CreateAgentRuntime",
        r#"{"agentRuntimeName":"support","agentRuntimeArtifact":{"containerConfiguration":{"containerUri":"$A.dkr.ecr.$R.amazonaws.com/support:~"}},"roleArn":"arn:aws:iam::$A:role/AgentCore-support-eu-central-1","networkConfiguration":{"networkMode":"VPC","networkModeConfig":{"securityGroups":["sg-~"],"subnets":["subnet-~"]}}}"#,
    ),
    writes(
        Pipeline,
        "bedrock-agentcore",
        "UpdateAgentRuntime",
        r#"{"agentRuntimeId":"support-ex4mple1ab","agentRuntimeArtifact":{"containerConfiguration":{"containerUri":"$A.dkr.ecr.$R.amazonaws.com/support:~"}},"roleArn":"arn:aws:iam::$A:role/AgentCore-support-eu-central-1","networkConfiguration":{"networkMode":"PUBLIC"}}"#,
    ),
    writes(Pipeline, "bedrock-agentcore", "CreateGateway", GATEWAY),
    writes(Pipeline, "bedrock-agentcore", "UpdateGateway", GATEWAY),
    writes(
        Pipeline,
        "bedrock-agentcore",
        "CreateGatewayTarget",
        r#"{"gatewayIdentifier":"orders-gw-ex4mple1ab","name":"***","targetConfiguration":{"mcp":{"lambda":{"lambdaArn":"arn:aws:lambda:$R:$A:function:orders","toolSchema":"***"}}},"credentialProviderConfigurations":[{"credentialProviderType":"GATEWAY_IAM_ROLE"}]}"#,
    ),
    writes(
        Pipeline,
        "bedrock-agentcore",
        "CreatePolicy",
        r#"{"policyEngineId":"orders_pe-ex4mple1ab","name":"look_up","definition":{"cedar":{"statement":"permit(principal is AgentCore::OAuthUser, action == AgentCore::Action::\"OrdersTarget___look_up_order\", resource);"}}}"#,
    ),
    writes(Pipeline, "bedrock-agentcore", "CreateMemory", r#"{"name":"support_mem","eventExpiryDuration":90}"#),
    writes(Pipeline, "bedrock-agentcore", "CreateWorkloadIdentity", r#"{"name":"support"}"#),
    writes(
        Pipeline,
        "bedrock-agentcore",
        "CreateOauth2CredentialProvider",
        r#"{"name":"crm","credentialProviderVendor":"CustomOauth2","oauth2ProviderConfigInput":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
    ),
    writes(
        Pipeline,
        "bedrock-agentcore",
        "CreateBrowser",
        r#"{"name":"support_browser","networkConfiguration":{"networkMode":"PUBLIC"},"recording":{"enabled":true,"s3Location":{"bucket":"examplecorp-browser-recordings","prefix":"support/"}}}"#,
    ),
];

/// A branch's own copy of the assistant is thrown away when the branch is merged.
const BRANCH_CLEARED: &[Call] = &[
    writes(Pipeline, "bedrock", "DeleteAgentAlias", r#"{"agentId":"AGENTBR142","agentAliasId":"ALIASBR142"}"#),
    writes(
        Pipeline,
        "bedrock",
        "DeleteAgentActionGroup",
        r#"{"agentId":"AGENTBR142","agentVersion":"DRAFT","actionGroupId":"ACTIONB142"}"#,
    ),
    writes(
        Pipeline,
        "bedrock",
        "DisassociateAgentKnowledgeBase",
        r#"{"agentId":"AGENTBR142","agentVersion":"DRAFT","knowledgeBaseId":"KBBRANC142"}"#,
    ),
    writes(Pipeline, "bedrock", "DeleteAgent", r#"{"agentId":"AGENTBR142","skipResourceInUseCheck":true}"#),
    writes(Pipeline, "bedrock", "DeleteDataSource", r#"{"knowledgeBaseId":"KBBRANC142","dataSourceId":"DSBRANC142"}"#),
    writes(Pipeline, "bedrock", "DeleteKnowledgeBase", r#"{"knowledgeBaseId":"KBBRANC142"}"#),
    writes(Pipeline, "bedrock", "DeleteGuardrail", r#"{"guardrailIdentifier":"grbranch142x"}"#),
    writes(Pipeline, "bedrock", "DeletePrompt", r#"{"promptIdentifier":"PROMPTB142"}"#),
    writes(Pipeline, "bedrock", "DeleteFlow", r#"{"flowIdentifier":"FLOWBRA142"}"#),
    writes(Pipeline, "bedrock-agentcore", "DeleteAgentRuntime", r#"{"agentRuntimeId":"branch142-ex4mple1ab"}"#),
];

const TRAINING_RUN: &[Call] = &[
    writes(
        TrainingPipeline,
        "bedrock",
        "CreateModelCustomizationJob",
        r#"{"jobName":"nightly-~","customModelName":"support-tone","roleArn":"arn:aws:iam::$A:role/Tuning","baseModelIdentifier":"amazon.nova-lite-v1:0:300k","trainingDataConfig":{"s3Uri":"s3://examplecorp-ml-training/train.jsonl"},"outputDataConfig":{"s3Uri":"s3://examplecorp-ml-training/out/"}}"#,
    ),
    reads(TrainingPipeline, "bedrock", "GetModelCustomizationJob", r#"{"jobIdentifier":"nightly"}"#),
    writes(
        TrainingPipeline,
        "bedrock",
        "CreateEvaluationJob",
        r#"{"jobName":"nightly-~","roleArn":"arn:aws:iam::$A:role/Tuning","evaluationConfig":"HIDDEN_DUE_TO_SECURITY_REASONS","inferenceConfig":{"models":[{"bedrockModel":{"modelIdentifier":"amazon.nova-lite-v1:0"}}]},"outputDataConfig":{"s3Uri":"s3://examplecorp-ml-training/evaluation/"}}"#,
    ),
    writes(
        TrainingPipeline,
        "bedrock",
        "CreateModelInvocationJob",
        r#"{"jobName":"nightly-~","roleArn":"arn:aws:iam::$A:role/Tuning","modelId":"amazon.nova-lite-v1:0","inputDataConfig":{"s3InputDataConfig":{"s3Uri":"s3://examplecorp-batch/in/"}},"outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://examplecorp-batch/out/"}}}"#,
    ),
    writes(
        TrainingPipeline,
        "bedrock",
        "CreateCustomModelDeployment",
        r#"{"modelDeploymentName":"support-tone","modelArn":"arn:aws:bedrock:$R:$A:custom-model/amazon.nova-lite-v1:0:300k/custexample1"}"#,
    ),
];

/// What was trained in one account is used in another.
const MODEL_RELEASED: &[Call] = &[writes(
    TrainingPipeline,
    "bedrock",
    "CreateModelCopyJob",
    r#"{"sourceModelArn":"arn:aws:bedrock:$R:123456789012:custom-model/amazon.nova-lite-v1:0:300k/custexample1","targetModelName":"support-tone"}"#,
)];

const NEW_ACCOUNT: &[Call] = &[
    writes(
        CloudFormation,
        "bedrock",
        "PutModelInvocationLoggingConfiguration",
        r#"{"loggingConfig":{"cloudWatchConfig":{"logGroupName":"/examplecorp/bedrock/invocations","roleArn":"arn:aws:iam::$A:role/BedrockInvocationLogs"},"s3Config":{"bucketName":"examplecorp-bedrock-invocation-logs"},"textDataDeliveryEnabled":true,"imageDataDeliveryEnabled":true,"embeddingDataDeliveryEnabled":true,"videoDataDeliveryEnabled":true,"audioDataDeliveryEnabled":true}}"#,
    ),
    writes(CloudFormation, "bedrock", "PutAccountDataRetention", r#"{"mode":"none"}"#),
    writes(
        CloudFormation,
        "ec2",
        "CreateVpcEndpoint",
        r#"{"CreateVpcEndpointRequest":{"VpcId":"vpc-~","VpcEndpointType":"Interface","ServiceName":"com.amazonaws.$R.bedrock-runtime"}}"#,
    ),
    writes(
        CloudFormation,
        "iam",
        "PutRolePolicy",
        r#"{"roleName":"SupportAssistantTask","policyName":"models","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"bedrock:InvokeModel\",\"bedrock:InvokeModelWithResponseStream\"],\"Resource\":\"*\"}]}"}"#,
    ),
    writes(
        CloudFormation,
        "iam",
        "CreateRole",
        r#"{"roleName":"AmazonBedrockExecutionRoleForAgents_0example","assumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"bedrock.amazonaws.com\"},\"Action\":\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"aws:SourceAccount\":\"$A\"}}}]}"}"#,
    ),
    writes(
        CloudFormation,
        "iam",
        "PutRolePolicy",
        r#"{"roleName":"AmazonBedrockExecutionRoleForAgents_0example","policyName":"models","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"bedrock:InvokeModel\",\"Resource\":\"*\"}]}"}"#,
    ),
    writes(Administrator, "bedrock", "PutUseCaseForModelAccess", "null"),
    writes(
        Administrator,
        "bedrock",
        "CreateFoundationModelAgreement",
        r#"{"modelId":"anthropic.claude-sonnet-4-5-20250929-v1:0"}"#,
    ),
    writes(Administrator, "aws-marketplace", "Subscribe", r#"{"productId":"prod-ex4mple0claude"}"#),
    writes(
        Administrator,
        "servicequotas",
        "RequestServiceQuotaIncrease",
        r#"{"serviceCode":"bedrock","quotaCode":"L-EX4MPLE1","desiredValue":400000}"#,
    ),
];

const NEWCOMERS: &[Call] = &[
    reads(Newcomer, "bedrock", "InvokeModel", r#"{"modelId":"anthropic.claude-sonnet-4-5-20250929-v1:0"}"#).fails("ValidationException", "Invocation of model ID anthropic.claude-sonnet-4-5-20250929-v1:0 with on-demand throughput isn't supported."),
    reads(Newcomer, "bedrock", "InvokeModel", r#"{"modelId":"eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}"#).fails("AccessDenied", "User: arn:aws:iam::$A:user/alex.newcomer is not authorized to perform: bedrock:InvokeModel because no identity-based policy allows the bedrock:InvokeModel action"),
    reads(Newcomer, "bedrock", "ListFoundationModels", "null"),
    reads(Person, "bedrock", "Converse", r#"{"modelId":"eu.anthropic.claude-haiku-4-5-20251001-v1:0"}"#).fails("AccessDenied", "You don't have access to the model with the specified model ID."),
    writes(Person, "bedrock", "CreateAgent", r#"{"agentName":"my-first-agent","instruction":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#),
    writes(CommandLine, "bedrock", "DeleteGuardrail", r#"{"guardrailIdentifier":"gr4example7k2"}"#).fails("AccessDenied", "User: arn:aws:sts::$A:assumed-role/AWSReservedSSO_Developer_0example0/li.wei@example.com is not authorized to perform: bedrock:DeleteGuardrail because no identity-based policy allows the bedrock:DeleteGuardrail action"),
    writes(Administrator, "iam", "AttachGroupPolicy", r#"{"groupName":"ml-engineers","policyArn":"arn:aws:iam::aws:policy/AmazonBedrockFullAccess"}"#),
];

/// A developer's key for a month, as the console makes it.
const MONTHLY_KEY: &[Call] = &[
    writes(Person, "iam", "CreateUser", r#"{"userName":"BedrockAPIKey-0ex1"}"#),
    writes(
        Person,
        "iam",
        "AttachUserPolicy",
        r#"{"userName":"BedrockAPIKey-0ex1","policyArn":"arn:aws:iam::aws:policy/AmazonBedrockLimitedAccess"}"#,
    ),
    writes(
        Person,
        "iam",
        "CreateServiceSpecificCredential",
        r#"{"userName":"BedrockAPIKey-0ex1","serviceName":"bedrock.amazonaws.com","credentialAgeDays":30}"#,
    ),
];

/// bedrock-audit is deployed again, with a new version of each of its parts that a release can change.
const OWN_STACK: &[Call] = &[
    writes(Pipeline, "cloudformation", "CreateChangeSet", r#"{"stackName":"bedrock-audit","changeSetName":"samcli-deploy~","capabilities":["CAPABILITY_IAM"]}"#),
    writes(Pipeline, "cloudformation", "ExecuteChangeSet", r#"{"stackName":"bedrock-audit","changeSetName":"samcli-deploy~"}"#),
    writes(CloudFormation, "lambda", "UpdateFunctionCode20150331v2", r#"{"functionName":"bedrock-audit-Detector-EXAMPLE0abcd","dryRun":false,"publish":false}"#),
    writes(CloudFormation, "lambda", "UpdateFunctionConfiguration20150331v2", r#"{"functionName":"bedrock-audit-Detector-EXAMPLE0abcd","timeout":120}"#),
    writes(CloudFormation, "lambda", "PutFunctionConcurrency20171031", r#"{"functionName":"bedrock-audit-Detector-EXAMPLE0abcd","reservedConcurrentExecutions":10}"#),
    writes(CloudFormation, "lambda", "PutFunctionEventInvokeConfig", r#"{"functionName":"bedrock-audit-Detector-EXAMPLE0abcd","maximumRetryAttempts":2}"#),
    writes(CloudFormation, "lambda", "AddPermission20150331v2", r#"{"functionName":"bedrock-audit-Detector-EXAMPLE0abcd","statementId":"bedrock-audit-LogBucket","action":"lambda:InvokeFunction","principal":"s3.amazonaws.com","sourceAccount":"$A"}"#),
    writes(CloudFormation, "lambda", "UpdateEventSourceMapping20150331", r#"{"uUID":"a1b2c3d4-5678-90ab-cdef-11111EXAMPLE","functionName":"bedrock-audit-Detector-EXAMPLE0abcd","batchSize":10,"enabled":true}"#)
        .answers(r#"{"uUID":"a1b2c3d4-5678-90ab-cdef-11111EXAMPLE","eventSourceArn":"arn:aws:sqs:$R:$A:bedrock-audit-NotificationQueue-EXAMPLE0abcd","functionArn":"arn:aws:lambda:$R:$A:function:bedrock-audit-Detector-EXAMPLE0abcd","state":"Updating"}"#),
    writes(CloudFormation, "iam", "PutRolePolicy", r#"{"roleName":"bedrock-audit-DetectorRole-EXAMPLE0abcd","policyName":"logs","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\"],\"Resource\":\"*\"}]}"}"#),
    writes(CloudFormation, "s3", "PutBucketPolicy", r#"{"bucketName":"bedrock-audit-logs-111122223333","Host":"bedrock-audit-logs-111122223333.s3.eu-central-1.amazonaws.com","policy":"","bucketPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::bedrock-audit-logs-111122223333/AWSLogs/*"}]}}"#),
    writes(CloudFormation, "s3", "PutBucketNotification", r#"{"bucketName":"bedrock-audit-logs-111122223333","Host":"bedrock-audit-logs-111122223333.s3.eu-central-1.amazonaws.com","notification":""}"#),
    writes(CloudFormation, "s3", "PutBucketLifecycle", r#"{"bucketName":"bedrock-audit-logs-111122223333","Host":"bedrock-audit-logs-111122223333.s3.eu-central-1.amazonaws.com","lifecycle":""}"#),
    writes(CloudFormation, "sqs", "SetQueueAttributes", r#"{"queueUrl":"https://sqs.$R.amazonaws.com/$A/bedrock-audit-NotificationQueue-EXAMPLE0abcd","attributes":{"VisibilityTimeout":"720"}}"#),
    writes(CloudFormation, "sns", "SetTopicAttributes", r#"{"topicArn":"arn:aws:sns:$R:$A:bedrock-audit-FindingsTopic-EXAMPLE0abcd","attributeName":"Policy","attributeValue":"{}"}"#),
    writes(CloudFormation, "monitoring", "PutMetricAlarm", r#"{"alarmName":"bedrock-audit-ItemsFailedAlarm-EXAMPLE0abcd","metricName":"ItemsFailed","threshold":1}"#),
    writes(CloudFormation, "logs", "PutRetentionPolicy", r#"{"logGroupName":"/aws/lambda/bedrock-audit-Detector-EXAMPLE0abcd","retentionInDays":90}"#),
    writes(CloudFormation, "cloudtrail", "PutEventSelectors", r#"{"trailName":"arn:aws:cloudtrail:eu-central-1:111122223333:trail/bedrock-audit","advancedEventSelectors":[{"name":"management","fieldSelectors":[{"field":"eventCategory","equals":["Management"]}]},{"name":"agents","fieldSelectors":[{"field":"eventCategory","equals":["Data"]},{"field":"resources.type","equals":["AWS::Bedrock::AgentAlias"]}]},{"name":"knowledge bases","fieldSelectors":[{"field":"eventCategory","equals":["Data"]},{"field":"resources.type","equals":["AWS::Bedrock::KnowledgeBase"]}]}]}"#),
    // The company keeps its rules and lists in the stack's bucket.
    writes(Pipeline, "s3", "PutObject", r#"{"bucketName":"bedrock-audit-rules-111122223333","Host":"bedrock-audit-rules-111122223333.s3.eu-central-1.amazonaws.com","key":"rules/lists.yml"}"#)
        .data_of("AWS::S3::Object", "arn:aws:s3:::bedrock-audit-rules-111122223333/rules/lists.yml"),
];

/// Somebody tries out what might become a product.
const PROTOTYPE: &[Call] = &[
    writes(
        CommandLine,
        "bedrock-agentcore",
        "CreateCodeInterpreter",
        r#"{"name":"prototype_code","networkConfiguration":{"networkMode":"PUBLIC"}}"#,
    ),
    writes(
        CommandLine,
        "bedrock-agentcore",
        "CreateBrowser",
        r#"{"name":"prototype_browser","networkConfiguration":{"networkMode":"PUBLIC"}}"#,
    ),
    writes(
        CommandLine,
        "bedrock-agentcore",
        "InvokeAgentRuntimeCommand",
        r#"{"agentRuntimeArn":"arn:aws:bedrock-agentcore:$R:$A:runtime/prototype-ex4mple1ab","runtimeSessionId":"~","body":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
    ),
    writes(
        CommandLine,
        "bedrock",
        "CreateDataSource",
        r#"{"knowledgeBaseId":"KBPROTOTY1","name":"docs-site","dataSourceConfiguration":{"type":"WEB","webConfiguration":{"sourceConfiguration":{"urlConfiguration":{"seedUrls":[{"url":"https://docs.example.com/"}]}}}}}"#,
    ),
    writes(
        CommandLine,
        "bedrock",
        "IngestKnowledgeBaseDocuments",
        r#"{"knowledgeBaseId":"KBPROTOTY1","dataSourceId":"DSPROTOTY2","documents":[{"content":{"dataSourceType":"CUSTOM","custom":{"customDocumentIdentifier":{"id":"faq-1"},"sourceType":"IN_LINE"}}}]}"#,
    ),
    writes(
        CommandLine,
        "bedrock",
        "CreateFlow",
        r#"{"name":"prototype","executionRoleArn":"arn:aws:iam::$A:role/AmazonBedrockExecutionRoleForFlows_0example"}"#,
    ),
];

/// Capacity for a launch, and a prompt that a sister account may use.
const LAUNCH: &[Call] = &[
    writes(
        Administrator,
        "bedrock",
        "CreateProvisionedModelThroughput",
        r#"{"modelUnits":1,"provisionedModelName":"launch","modelId":"amazon.nova-lite-v1:0:24k"}"#,
    ),
    writes(
        Administrator,
        "ram",
        "CreateResourceShare",
        r#"{"name":"launch-prompts","resourceArns":["arn:aws:bedrock:$R:$A:prompt/PROMPTEX01"],"principals":["123456789012"],"allowExternalPrincipals":false}"#,
    ),
    writes(
        Administrator,
        "organizations",
        "CreatePolicy",
        r#"{"content":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"ec2:RunInstances\",\"Resource\":\"*\"}]}","description":"freeze","name":"launch-freeze","type":"SERVICE_CONTROL_POLICY"}"#,
    ),
    writes(
        Administrator,
        "organizations",
        "DetachPolicy",
        r#"{"policyId":"p-ex4mple1","targetId":"ou-ex4m-0example"}"#,
    ),
];

pub(super) const SCENES: &[Scene] = &[
    Scene { account: 0, hour: 10, calls: OWN_STACK },
    Scene { account: 0, hour: 9, calls: BY_TERRAFORM },
    Scene { account: 2, hour: 14, calls: BY_TERRAFORM },
    Scene { account: 4, hour: 11, calls: BY_CLOUDFORMATION },
    Scene { account: 6, hour: 16, calls: BY_CLOUDFORMATION },
    Scene { account: 2, hour: 15, calls: GUARDRAIL_TUNED },
    Scene { account: 3, hour: 13, calls: AGENTCORE_RELEASE },
    Scene { account: 5, hour: 10, calls: AGENTCORE_RELEASE },
    Scene { account: 7, hour: 17, calls: BRANCH_CLEARED },
    Scene { account: 1, hour: 2, calls: TRAINING_RUN },
    Scene { account: 0, hour: 7, calls: MODEL_RELEASED },
    Scene { account: 9, hour: 9, calls: NEW_ACCOUNT },
    Scene { account: 8, hour: 11, calls: NEWCOMERS },
    Scene { account: 8, hour: 15, calls: MONTHLY_KEY },
    Scene { account: 10, hour: 16, calls: PROTOTYPE },
    Scene { account: 0, hour: 13, calls: LAUNCH },
];
