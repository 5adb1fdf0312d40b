// One call by the SDK for JavaScript v3 for each line on standard input. The line `again` is for a second call: while
// credentials end soon, the SDK renews them in the background and signs with the old ones.
import { createInterface } from "node:readline";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const sts = new STSClient({});
for await (const line of createInterface({ input: process.stdin })) {
  try {
    if (line === "again") {
      await sts.send(new GetCallerIdentityCommand({})).catch(() => new Promise((done) => setTimeout(done, 1000)));
    }
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    await sts.send(new AssumeRoleCommand({ RoleArn: process.env.TARGET, RoleSessionName: "matrix" }));
    console.log(Arn, "ok");
  } catch (error) {
    console.log("-", error.name, JSON.stringify(error.message));
  }
}
