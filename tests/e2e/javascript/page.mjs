// A page of Ben: it connects with amazon-chime-sdk-js, sends a message, and reports what it receives to the test.
// Then it connects as Ben with Cem's credentials, which is refused.

import { ChimeSDKMessagingClient, SendChannelMessageCommand } from "@aws-sdk/client-chime-sdk-messaging";
import {
  ConsoleLogger,
  DefaultMessagingSession,
  DefaultWebSocketAdapter,
  LogLevel,
  MessagingSessionConfiguration,
  PrefetchOn,
} from "amazon-chime-sdk-js";

const logger = new ConsoleLogger("page", LogLevel.ERROR);

class PlainWebSocket extends DefaultWebSocketAdapter {
  create(url, protocols, isSigned) {
    super.create(url.replace(/^wss:/, "ws:"), protocols, isSigned);
  }
}

function sessionOf(client, userArn, isPlain, observer) {
  const configuration = new MessagingSessionConfiguration(userArn, null, undefined, client);
  configuration.prefetchOn = PrefetchOn.Connect;
  const session = new DefaultMessagingSession(configuration, logger, isPlain ? new PlainWebSocket(logger) : undefined);
  session.addObserver(observer);
  return session;
}

/** What becomes of a websocket with this URL. */
function opened(url) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve("opened");
    socket.onclose = ({ code }) => resolve(`closed with ${code}`);
  });
}

async function visit() {
  const settings = await (await fetch("/settings")).json();
  if (settings.url) return { socket: await opened(settings.url) };
  const { endpoint, userArn, channelArn, credentials, foreignCredentials } = settings;
  const isPlain = endpoint.startsWith("http:");
  const client = new ChimeSDKMessagingClient({ region: "us-east-1", endpoint, credentials });
  const events = [];
  await new Promise((resolve, reject) => {
    const session = sessionOf(client, userArn, isPlain, {
      messagingSessionDidReceiveMessage: async (message) => {
        const payload = message.payload && JSON.parse(message.payload);
        events.push([message.type, payload?.Content ?? payload?.Channel?.Name ?? ""]);
        if (message.type === "CHANNEL_DETAILS") {
          const sent = { ChannelArn: channelArn, Content: "from the page", ChimeBearer: userArn };
          await client.send(new SendChannelMessageCommand({ ...sent, Type: "STANDARD", Persistence: "PERSISTENT" }));
        }
        if (message.type === "CREATE_CHANNEL_MESSAGE") session.stop();
      },
      messagingSessionDidStop: resolve,
    });
    session.start().catch(reject);
  });
  const foreign = new ChimeSDKMessagingClient({ region: "us-east-1", endpoint, credentials: foreignCredentials });
  const refusal = await sessionOf(foreign, userArn, isPlain, {})
    .start()
    .then(
      () => "connected",
      (close) => `${close.code} ${close.reason}`,
    );
  return { events, refusal };
}

visit()
  .catch((error) => ({ error: `${error?.name} ${error?.message} ${error?.stack}` }))
  .then((report) => fetch("/report", { method: "POST", body: JSON.stringify(report) }));
