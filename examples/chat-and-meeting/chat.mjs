// A chat: Ana and Ben talk in a private channel, and Cem is refused. The server side makes users and credentials, the
// rest is what the pages of the three users would do.
//
// CHAT_ENDPOINT is the address of Rolecall. Without it the chat runs on AWS, with your own credentials.

import { createRequire } from "node:module";
import {
  ChimeSDKIdentityClient,
  CreateAppInstanceCommand,
  CreateAppInstanceUserCommand,
  DeleteAppInstanceCommand,
} from "@aws-sdk/client-chime-sdk-identity";
import {
  ChimeSDKMessagingClient,
  CreateChannelCommand,
  CreateChannelMembershipCommand,
  ListChannelMessagesCommand,
  SendChannelMessageCommand,
} from "@aws-sdk/client-chime-sdk-messaging";
import { GetFederationTokenCommand, STSClient } from "@aws-sdk/client-sts";
import WebSocket from "ws";

// Browsers have these. Node.js needs them before the SDK is loaded.
globalThis.WebSocket ??= WebSocket;
globalThis.CloseEvent ??= WebSocket.CloseEvent;
const {
  ConsoleLogger,
  DefaultMessagingSession,
  DefaultWebSocketAdapter,
  LogLevel,
  MessagingSessionConfiguration,
  PrefetchOn,
} = createRequire(import.meta.url)("amazon-chime-sdk-js");

const endpoint = process.env.CHAT_ENDPOINT;
const region = "us-east-1";
const settings = endpoint ? { region, endpoint } : { region };

// The server side.

/** Credentials with which a page can act as one user of the chat, and as nobody else. */
async function credentialsOf(userArn) {
  const instanceArn = userArn.split("/").slice(0, 2).join("/");
  const policy = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "chime:GetMessagingSessionEndpoint", Resource: "*" },
      {
        Effect: "Allow",
        Action: ["chime:Connect", "chime:SendChannelMessage", "chime:ListChannelMessages"],
        Resource: [userArn, `${instanceArn}/channel/*`],
      },
    ],
  };
  const answer = await new STSClient(settings).send(
    new GetFederationTokenCommand({ Name: userArn.split("/").at(-1), Policy: JSON.stringify(policy) }),
  );
  const { AccessKeyId, SecretAccessKey, SessionToken } = answer.Credentials;
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}

const identity = new ChimeSDKIdentityClient(settings);
const administration = new ChimeSDKMessagingClient(settings);
const { AppInstanceArn } = await identity.send(new CreateAppInstanceCommand({ Name: "chat" }));

async function userNamed(name) {
  const command = new CreateAppInstanceUserCommand({ AppInstanceArn, AppInstanceUserId: name, Name: name });
  const { AppInstanceUserArn } = await identity.send(command);
  const credentials = await credentialsOf(AppInstanceUserArn);
  return { arn: AppInstanceUserArn, credentials };
}

const [ana, ben, cem] = [await userNamed("ana"), await userNamed("ben"), await userNamed("cem")];
const { ChannelArn } = await administration.send(
  new CreateChannelCommand({ AppInstanceArn, Name: "lunch", ChimeBearer: ana.arn }),
);
await administration.send(
  new CreateChannelMembershipCommand({ ChannelArn, MemberArn: ben.arn, Type: "DEFAULT", ChimeBearer: ana.arn }),
);

// The pages.

/** The SDK opens wss:// only. The signature does not cover the scheme. */
class PlainWebSocket extends DefaultWebSocketAdapter {
  create(url, protocols, isSigned) {
    super.create(url.replace(/^wss:/, "ws:"), protocols, isSigned);
  }
}

/** One user's page: a client for calls, and a session that receives messages. */
class Page {
  received = [];
  #waiting = [];

  constructor(user, asArn = user.arn) {
    this.arn = user.arn;
    this.client = new ChimeSDKMessagingClient({ ...settings, credentials: user.credentials });
    const configuration = new MessagingSessionConfiguration(asArn, null, undefined, this.client);
    configuration.prefetchOn = PrefetchOn.Connect;
    const logger = new ConsoleLogger("chat", LogLevel.OFF);
    const socket = endpoint?.startsWith("http:") ? new PlainWebSocket(logger) : undefined;
    this.session = new DefaultMessagingSession(configuration, logger, socket);
    this.session.addObserver({
      messagingSessionDidReceiveMessage: (message) => {
        this.received.push({ type: message.type, payload: message.payload && JSON.parse(message.payload) });
        // A look that has found its event leaves the next one to others.
        this.#waiting = this.#waiting.filter((look) => !look());
      },
    });
  }

  /** The first event of a type, now or later. */
  event(type) {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.received.findIndex((each) => each.type === type);
        if (found >= 0) resolve(this.received.splice(found, 1)[0].payload);
        return found >= 0;
      };
      if (!look()) this.#waiting.push(look);
    });
  }

  send(Content) {
    const message = { ChannelArn, Content, Type: "STANDARD", Persistence: "PERSISTENT", ChimeBearer: this.arn };
    return this.client.send(new SendChannelMessageCommand(message));
  }

  async history() {
    const command = new ListChannelMessagesCommand({ ChannelArn, ChimeBearer: this.arn, SortOrder: "ASCENDING" });
    return (await this.client.send(command)).ChannelMessages.map((each) => each.Content);
  }
}

const pages = { ana: new Page(ana), ben: new Page(ben), cem: new Page(cem) };
for (const [name, page] of Object.entries(pages)) {
  await page.session.start();
  console.log(`${name} is connected`);
}
const details = await pages.ben.event("CHANNEL_DETAILS");
console.log(`ben is in ${details.Channel.Name} with ${details.ChannelMemberships.length} members`);

await pages.ana.send("Soup?");
console.log(`ben reads: ${(await pages.ben.event("CREATE_CHANNEL_MESSAGE")).Content}`);
await pages.ben.send("Soup!");
await pages.ana.event("CREATE_CHANNEL_MESSAGE");
console.log(`ana reads: ${(await pages.ana.event("CREATE_CHANNEL_MESSAGE")).Content}`);
console.log(`the channel has: ${(await pages.ana.history()).join(" ")}`);

for (const [what, attempt] of [
  ["send", () => pages.cem.send("Me too")],
  ["read", () => pages.cem.history()],
]) {
  try {
    await attempt();
    console.log(`cem may ${what}`);
  } catch (error) {
    console.log(`cem may not ${what}: ${error.name}`);
  }
}
try {
  await new Page(cem, ben.arn).session.start();
  console.log("cem is connected as ben");
} catch (close) {
  console.log(`cem may not connect as ben: ${close.code} ${close.reason}`);
}
const foreign = pages.cem.received.filter((each) => each.type !== "SESSION_ESTABLISHED");
console.log(`cem has received ${foreign.length} messages`);

Object.values(pages).forEach((page) => page.session.stop());
await identity.send(new DeleteAppInstanceCommand({ AppInstanceArn }));
