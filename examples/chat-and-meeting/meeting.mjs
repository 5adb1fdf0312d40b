// The server side of a meeting: join it, leave it, and join again after it has ended, with a new meeting.
//
// CHAT_ENDPOINT is the address of Rolecall. Without it the calls go to AWS, with your own credentials.

import {
  ChimeSDKMeetingsClient,
  CreateAttendeeCommand,
  CreateMeetingCommand,
  DeleteAttendeeCommand,
  DeleteMeetingCommand,
  GetMeetingCommand,
  ListAttendeesCommand,
} from "@aws-sdk/client-chime-sdk-meetings";

const endpoint = process.env.CHAT_ENDPOINT;
const client = new ChimeSDKMeetingsClient(endpoint ? { region: "us-east-1", endpoint } : { region: "us-east-1" });
// What a server remembers of each room: the meeting that was last made for it.
const meetings = new Map();

/** The room's meeting. One that has ended is replaced by a new one. */
async function meetingOf(room) {
  const known = meetings.get(room);
  if (known) {
    try {
      return (await client.send(new GetMeetingCommand({ MeetingId: known.MeetingId }))).Meeting;
    } catch (error) {
      if (error.name !== "NotFoundException") throw error;
      console.log(`${room}: ${error.message}`);
    }
  }
  const command = new CreateMeetingCommand({
    ClientRequestToken: crypto.randomUUID(),
    ExternalMeetingId: room,
    MediaRegion: "us-east-1",
  });
  const { Meeting } = await client.send(command);
  meetings.set(room, Meeting);
  return Meeting;
}

async function join(room, name) {
  const { MeetingId } = await meetingOf(room);
  const { Attendee } = await client.send(new CreateAttendeeCommand({ MeetingId, ExternalUserId: name }));
  return { MeetingId, AttendeeId: Attendee.AttendeeId };
}

async function namesIn({ MeetingId }) {
  const { Attendees } = await client.send(new ListAttendeesCommand({ MeetingId }));
  return Attendees.map((each) => each.ExternalUserId).sort().join(" and ");
}

const first = await join("kitchen", "ana");
const ben = await join("kitchen", "ben");
console.log(`in the meeting: ${await namesIn(first)}`);
await client.send(new DeleteAttendeeCommand(ben));
console.log(`ben leaves: ${await namesIn(first)}`);
await client.send(new DeleteMeetingCommand({ MeetingId: first.MeetingId }));
const again = await join("kitchen", "ben");
console.log(`another meeting: ${again.MeetingId !== first.MeetingId}`);
console.log(`in the meeting: ${await namesIn(again)}`);
await client.send(new DeleteMeetingCommand({ MeetingId: again.MeetingId }));
