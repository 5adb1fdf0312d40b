// One call by the SDK for JavaScript v2 for each line on standard input. It knows no AWS_ENDPOINT_URL_STS.
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
process.env.AWS_SDK_LOAD_CONFIG = "1";
const { createInterface } = require("node:readline");
const AWS = require("aws-sdk");

AWS.config.update({
  region: process.env.AWS_REGION,
  sts: { endpoint: process.env.AWS_ENDPOINT_URL_STS },
  sso: { endpoint: process.env.AWS_ENDPOINT_URL_STS },
  ssooidc: { endpoint: process.env.AWS_ENDPOINT_URL_STS },
});
const sts = new AWS.STS();
(async () => {
  for await (const _ of createInterface({ input: process.stdin })) {
    try {
      const { Arn } = await sts.getCallerIdentity().promise();
      await sts.assumeRole({ RoleArn: process.env.TARGET, RoleSessionName: "matrix" }).promise();
      console.log(Arn, "ok");
    } catch (error) {
      console.log("-", error.code, JSON.stringify(error.message));
    }
  }
})();
