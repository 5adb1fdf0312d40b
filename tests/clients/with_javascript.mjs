// One call by the SDK for JavaScript v3 for each line on standard input.
import { createInterface } from "node:readline";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const sts = new STSClient({});
for await (const _ of createInterface({ input: process.stdin })) {
  try {
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    await sts.send(new AssumeRoleCommand({ RoleArn: process.env.TARGET, RoleSessionName: "matrix" }));
    console.log(Arn, "ok");
  } catch (error) {
    console.log("-", error.name, JSON.stringify(error.message));
  }
}
