"""Voice profiles, speaker searches and tone analyses, proxy sessions, emergency addresses and what AWS has ended."""

import json

import pytest
from chime_calls import NOBODY, refusal
from chime_worlds import CHIME_WORLD, FIRST, SECOND

HERE, THERE, THIRD = "+12065550100", "+12065550101", "+12065550199"
LAMBDA = f"arn:aws:lambda:us-east-1:{FIRST}:function:answer"
DAY_SECONDS = 86_400
ADDRESS = {
    "AwsAccountId": FIRST,
    "StreetNumber": "2121",
    "StreetInfo": "8th Avenue",
    "City": "Seattle",
    "State": "WA",
    "Country": "US",
    "PostalCode": "98101",
}
PLACE = {"streetNumber": "2121", "city": "Seattle", "state": "WA", "postalCode": "98101", "country": "US"}


@pytest.fixture
def world(make_world):
    return make_world(CHIME_WORLD)


@pytest.fixture
def voice(world):
    client = world.client("chime-sdk-voice", "admin")
    client.create_phone_number_order(ProductType="SipMediaApplicationDialIn", E164PhoneNumbers=[HERE, THERE])
    world.clock.advance(5)
    return client


class Analysis:
    """A connector that streams, a domain, and calls of an application."""

    def __init__(self, world, voice):
        self.world, self.voice = world, voice
        made = voice.create_sip_media_application(AwsRegion="us-east-1", Name="a", Endpoints=[{"LambdaArn": LAMBDA}])
        self.application = {"SipMediaApplicationId": made["SipMediaApplication"]["SipMediaApplicationId"]}
        self.connector = self.new_connector()
        self.domain = self.new_domain()

    def new_connector(self, *, streams=True):
        made = self.voice.create_voice_connector(Name="c", RequireEncryption=True)["VoiceConnector"]
        named = {"VoiceConnectorId": made["VoiceConnectorId"]}
        configuration = {"DataRetentionInHours": 0, "Disabled": not streams}
        self.voice.put_voice_connector_streaming_configuration(**named, StreamingConfiguration=configuration)
        return named

    def new_domain(self):
        key = {"KmsKeyArn": f"arn:aws:kms:us-east-1:{FIRST}:key/one"}
        made = self.voice.create_voice_profile_domain(Name="d", ServerSideEncryptionConfiguration=key)
        return {"VoiceProfileDomainId": made["VoiceProfileDomain"]["VoiceProfileDomainId"]}

    def call(self, number=HERE, to=THIRD):
        made = self.voice.create_sip_media_application_call(
            FromPhoneNumber=number, ToPhoneNumber=to, **self.application
        )
        return {"TransactionId": made["SipMediaApplicationCall"]["TransactionId"]}

    def search(self, number=HERE, to=THIRD, *, wait=12, **more):
        """The id of a speaker search, which has gone on for that long."""
        given = {**self.connector, **self.domain, **self.call(number, to), **more}
        made = self.voice.start_speaker_search_task(**given)["SpeakerSearchTask"]
        self.world.clock.advance(wait)
        return {"SpeakerSearchTaskId": made["SpeakerSearchTaskId"]}

    def found(self, task):
        return self.voice.get_speaker_search_task(**self.connector, **task)["SpeakerSearchTask"]

    def profile(self, task):
        return self.voice.create_voice_profile(**task)["VoiceProfile"]


@pytest.fixture
def analysis(world, voice):
    return Analysis(world, voice)


def test_a_speaker_search_goes_on_with_the_clock(world, voice, analysis):
    call = analysis.call()
    started = voice.start_speaker_search_task(**analysis.connector, **analysis.domain, **call)["SpeakerSearchTask"]
    details = {**analysis.connector, **call, "IsCaller": True}
    assert (started["SpeakerSearchTaskStatus"], started["CallDetails"]) == ("IN_QUEUE", details)
    assert not {"StartedTimestamp", "SpeakerSearchDetails", "VoiceProfileDomainId"} & started.keys()
    task = {"SpeakerSearchTaskId": started["SpeakerSearchTaskId"]}
    assert analysis.found(task) == started
    world.clock.advance(2)
    running = analysis.found(task)
    assert running["SpeakerSearchTaskStatus"] == "IN_PROGRESS"
    assert running["StartedTimestamp"] == running["UpdatedTimestamp"] > started["CreatedTimestamp"]
    world.clock.advance(10)
    done = analysis.found(task)
    details = {"Results": [], "VoiceprintGenerationStatus": "VoiceprintGenerationSuccess"}
    assert (done["SpeakerSearchTaskStatus"], done["SpeakerSearchDetails"]) == ("SUCCEEDED", details)
    # Developer Guide, data retention: results are there for 7 days.
    world.clock.advance(7 * DAY_SECONDS)
    assert refusal(voice, "GetSpeakerSearchTask", **analysis.connector, **task)[0] == "NotFoundException"


def test_a_search_finds_the_profiles_that_have_the_same_voice(world, voice, analysis):
    known = analysis.profile(analysis.search(HERE))
    matches = [{"ConfidenceScore": 1.0, "VoiceProfileId": known["VoiceProfileId"]}]
    again = analysis.search(HERE)
    assert analysis.found(again)["SpeakerSearchDetails"]["Results"] == matches
    assert analysis.found(analysis.search(THERE))["SpeakerSearchDetails"]["Results"] == []
    callee = analysis.search(THERE, HERE, CallLeg="Callee")
    assert analysis.found(callee)["SpeakerSearchDetails"]["Results"] == matches
    assert analysis.found(callee)["CallDetails"]["IsCaller"] is False
    elsewhere = analysis.search(HERE, **analysis.new_domain())
    assert analysis.found(elsewhere)["SpeakerSearchDetails"]["Results"] == []
    voice.delete_voice_profile(VoiceProfileId=known["VoiceProfileId"])
    assert analysis.found(again)["SpeakerSearchDetails"]["Results"] == []


def test_what_a_task_needs(world, voice, analysis):
    given = {**analysis.connector, **analysis.domain, **analysis.call()}
    starting = "StartSpeakerSearchTask"
    silent = voice.create_voice_connector(Name="s", RequireEncryption=True)["VoiceConnector"]
    for wrong, code in (
        ({"TransactionId": NOBODY}, "NotFoundException"),
        ({"VoiceProfileDomainId": NOBODY}, "NotFoundException"),
        ({"VoiceConnectorId": "abcdefghijklmnopqrstu0"}, "NotFoundException"),
        ({"VoiceConnectorId": silent["VoiceConnectorId"]}, "UnprocessableEntityException"),
        (analysis.new_connector(streams=False), "UnprocessableEntityException"),
        ({"ClientRequestToken": "a b"}, "BadRequestException"),
    ):
        assert refusal(voice, starting, **{**given, **wrong})[0] == code
    tone = {**analysis.connector, "LanguageCode": "en-US"}
    assert refusal(voice, "StartVoiceToneAnalysisTask", **tone, TransactionId=NOBODY)[0] == "NotFoundException"
    stranger = world.client("chime-sdk-voice", "stranger")
    assert refusal(stranger, starting, **given)[0] == "NotFoundException"
    world.clock.advance(DAY_SECONDS)
    assert "was not found" in refusal(voice, starting, **given)[1]


def test_a_token_starts_one_task(world, voice, analysis):
    given = {**analysis.connector, **analysis.call(), "ClientRequestToken": "token-1"}
    search = {**given, **analysis.domain}
    first = voice.start_speaker_search_task(**search)["SpeakerSearchTask"]
    assert voice.start_speaker_search_task(**search)["SpeakerSearchTask"] == first
    for other in (analysis.call(), {"CallLeg": "Callee"}, analysis.new_domain(), analysis.new_connector()):
        assert refusal(voice, "StartSpeakerSearchTask", **{**search, **other})[0] == "ConflictException"
    # Another operation has tokens of its own.
    tone = voice.start_voice_tone_analysis_task(**given, LanguageCode="en-US")["VoiceToneAnalysisTask"]
    again = voice.start_voice_tone_analysis_task(**given, LanguageCode="en-US")["VoiceToneAnalysisTask"]
    assert tone == again


def test_a_tone_analysis_is_about_either_leg_and_can_be_stopped(world, voice, analysis):
    call = analysis.call()
    started = voice.start_voice_tone_analysis_task(**analysis.connector, **call, LanguageCode="en-US")
    task = {
        **analysis.connector,
        "VoiceToneAnalysisTaskId": started["VoiceToneAnalysisTask"]["VoiceToneAnalysisTaskId"],
    }
    for leg in (True, False):
        read = voice.get_voice_tone_analysis_task(**task, IsCaller=leg)["VoiceToneAnalysisTask"]
        assert read["CallDetails"] == {**analysis.connector, **call, "IsCaller": leg}
    world.clock.advance(5)
    voice.stop_voice_tone_analysis_task(**task)
    stopped = voice.get_voice_tone_analysis_task(**task, IsCaller=True)["VoiceToneAnalysisTask"]
    assert (stopped["VoiceToneAnalysisTaskStatus"], "StartedTimestamp" in stopped) == ("STOPPED", True)
    world.clock.advance(60)
    assert voice.get_voice_tone_analysis_task(**task, IsCaller=True)["VoiceToneAnalysisTask"] == stopped
    code, message = refusal(voice, "StopVoiceToneAnalysisTask", **task)
    assert (code, "STOPPED" in message) == ("UnprocessableEntityException", True)
    other = {**task, **analysis.new_connector()}
    assert refusal(voice, "StopVoiceToneAnalysisTask", **other)[0] == "NotFoundException"
    assert refusal(voice, "GetVoiceToneAnalysisTask", **other, IsCaller=True)[0] == "NotFoundException"


def test_a_stopped_or_ended_search_cannot_be_stopped(world, voice, analysis):
    queued = analysis.search(wait=0)
    voice.stop_speaker_search_task(**analysis.connector, **queued)
    stopped = analysis.found(queued)
    assert (stopped["SpeakerSearchTaskStatus"], "StartedTimestamp" in stopped) == ("STOPPED", False)
    done = analysis.search()
    for task in (queued, done):
        code = refusal(voice, "StopSpeakerSearchTask", **analysis.connector, **task)[0]
        assert code == "UnprocessableEntityException"
    assert refusal(voice, "CreateVoiceProfile", **queued)[0] == "BadRequestException"


def test_a_profile_is_made_of_a_search_within_a_day(world, voice, analysis):
    early = analysis.search(wait=11)
    assert refusal(voice, "CreateVoiceProfile", **early)[0] == "BadRequestException"
    world.clock.advance(1)
    made = analysis.profile(early)
    assert made["VoiceProfileArn"] == f"arn:aws:chime:us-east-1:{FIRST}:voice-profile/{made['VoiceProfileId']}"
    assert made["VoiceProfileDomainId"] == analysis.domain["VoiceProfileDomainId"]
    # Developer Guide, data retention: an embedding is deleted after 3 years, and can be enrolled for 24 hours.
    assert (made["ExpirationTimestamp"] - made["CreatedTimestamp"]).days == 3 * 365
    assert refusal(voice, "CreateVoiceProfile", **early)[0] == "ConflictException"
    assert refusal(voice, "CreateVoiceProfile", SpeakerSearchTaskId=NOBODY)[0] == "NotFoundException"
    stranger = world.client("chime-sdk-voice", "stranger")
    assert refusal(stranger, "CreateVoiceProfile", **early)[0] == "NotFoundException"
    late = analysis.search()
    world.clock.advance(DAY_SECONDS)
    for operation, more in (
        ("CreateVoiceProfile", {}),
        ("UpdateVoiceProfile", {"VoiceProfileId": made["VoiceProfileId"]}),
    ):
        code, message = refusal(voice, operation, **more, **late)
        assert (code, "after 24 hours" in message) == ("GoneException", True)


def test_a_profile_expires_unless_another_search_renews_it(world, voice, analysis):
    made = analysis.profile(analysis.search(HERE))
    named = {"VoiceProfileId": made["VoiceProfileId"]}
    world.clock.advance(100 * DAY_SECONDS)
    elsewhere = analysis.search(THERE, **analysis.new_domain())
    assert refusal(voice, "UpdateVoiceProfile", **named, **elsewhere)[0] == "BadRequestException"
    renewed = voice.update_voice_profile(**named, **analysis.search(THERE))["VoiceProfile"]
    assert renewed["ExpirationTimestamp"] > made["ExpirationTimestamp"]
    assert voice.get_voice_profile(**named)["VoiceProfile"] == renewed
    # The new voice replaces the one before.
    assert analysis.found(analysis.search(HERE))["SpeakerSearchDetails"]["Results"] == []
    assert len(analysis.found(analysis.search(THERE))["SpeakerSearchDetails"]["Results"]) == 1
    world.clock.advance(3 * 365 * DAY_SECONDS)
    for operation in ("GetVoiceProfile", "DeleteVoiceProfile"):
        assert refusal(voice, operation, **named)[0] == "NotFoundException"
    assert voice.list_voice_profiles(**analysis.domain)["VoiceProfiles"] == []


def test_a_profile_takes_no_tags(world, voice, analysis):
    """Service Authorization Reference: TagResource has no resource type voice-profile."""
    arn = analysis.profile(analysis.search())["VoiceProfileArn"]
    for operation, more in (
        ("TagResource", {"Tags": [{"Key": "k", "Value": "v"}]}),
        ("UntagResource", {"TagKeys": ["k"]}),
        ("ListTagsForResource", {}),
    ):
        code, message = refusal(voice, operation, ResourceARN=arn, **more)
        assert (code, "takes no tags" in message) == ("BadRequestException", True)


@pytest.fixture
def proxied(world, voice):
    """A connector with three local numbers and a toll-free one."""
    numbers = [THIRD, "+12065550198", "+14155550100", "+18005550100"]
    voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=numbers)
    world.clock.advance(5)
    made = voice.create_voice_connector(Name="c", RequireEncryption=True)["VoiceConnector"]
    named = {"VoiceConnectorId": made["VoiceConnectorId"]}
    voice.associate_phone_numbers_with_voice_connector(**named, E164PhoneNumbers=numbers)
    voice.put_voice_connector_proxy(**named, DefaultSessionExpiryMinutes=10, PhoneNumberPoolCountries=["US"])
    return named


def proxy_of(voice, named, *, people=("+12065550150", "+14155550150"), **more):
    given = {"Capabilities": ["Voice"], "ParticipantPhoneNumbers": list(people), **more}
    return voice.create_proxy_session(**named, **given)["ProxySession"]


def number_in(session):
    [number] = {each["ProxyPhoneNumber"] for each in session["Participants"]}
    return number


def test_a_proxy_session_closes_with_the_clock(world, voice, proxied):
    made = proxy_of(voice, proxied, Name="taxi", ExpiryMinutes=3)
    assert (made["Status"], made["Name"], made["ExpiryMinutes"]) == ("Open", "taxi", 3)
    named = {**proxied, "ProxySessionId": made["ProxySessionId"]}
    world.clock.advance(179)
    longer = voice.update_proxy_session(**named, Capabilities=["SMS", "Voice"], ExpiryMinutes=5)["ProxySession"]
    assert (longer["ExpiryMinutes"], longer["Capabilities"]) == (5, ["SMS", "Voice"])
    world.clock.advance(121)
    closed = voice.get_proxy_session(**named)["ProxySession"]
    assert closed["Status"] == "Closed"
    assert (closed["EndedTimestamp"] - closed["CreatedTimestamp"]).total_seconds() == 300
    assert refusal(voice, "UpdateProxySession", **named, Capabilities=["Voice"])[0] == "BadRequestException"
    other = proxy_of(voice, proxied)
    listed = {
        status: [each["ProxySessionId"] for each in voice.list_proxy_sessions(**proxied, **status_of)["ProxySessions"]]
        for status, status_of in (
            ("all", {}),
            *((each, {"Status": each}) for each in ("Open", "InProgress", "Closed")),
        )
    }
    ids = [made["ProxySessionId"], other["ProxySessionId"]]
    assert listed == {"all": ids, "Open": ids[1:], "InProgress": [], "Closed": ids[:1]}


def test_people_in_two_proxy_sessions_see_two_numbers(world, voice, proxied):
    sessions = [proxy_of(voice, proxied) for _ in range(4)]
    assert len({number_in(each) for each in sessions}) == 4
    code, message = refusal(
        voice,
        "CreateProxySession",
        **proxied,
        ParticipantPhoneNumbers=["+12065550150", "+16505550150"],
        Capabilities=["Voice"],
    )
    assert (code, "no free phone number" in message) == ("BadRequestException", True)
    # Others may have the same number at the same time.
    assert number_in(proxy_of(voice, proxied, people=("+16505550150", "+16505550151"))) == number_in(sessions[0])
    voice.delete_proxy_session(**proxied, ProxySessionId=sessions[2]["ProxySessionId"])
    assert number_in(proxy_of(voice, proxied)) == number_in(sessions[2])
    world.clock.advance(600)
    assert number_in(proxy_of(voice, proxied)) == number_in(sessions[0])


def test_which_number_a_proxy_session_gets(world, voice, proxied):
    def chosen(**more):
        session = proxy_of(voice, proxied, **more)
        voice.delete_proxy_session(**proxied, ProxySessionId=session["ProxySessionId"])
        return number_in(session)

    assert chosen() == "+12065550198"
    by_area = {"GeoMatchLevel": "AreaCode"}
    francisco = {"GeoMatchParams": {"Country": "US", "AreaCode": "415"}}
    assert chosen(**by_area, **francisco) == "+14155550100"
    assert chosen(**by_area, people=("+14155550150", "+12065550150")) == "+14155550100"
    assert chosen(GeoMatchLevel="Country", **francisco) == "+12065550198"
    first = number_in(proxy_of(voice, proxied, **by_area, **francisco))
    world.clock.advance(600)
    assert chosen(NumberSelectionBehavior="PreferSticky") == first == "+14155550100"
    assert chosen(NumberSelectionBehavior="AvoidSticky", **by_area, **francisco) == first
    assert chosen(NumberSelectionBehavior="AvoidSticky") == "+12065550198"
    texts = [number_in(proxy_of(voice, proxied, Capabilities=["SMS"])) for _ in range(3)]
    assert "+18005550100" not in texts


def test_what_a_proxy_session_needs(world, voice, proxied):
    given = {"Capabilities": ["Voice"], "ParticipantPhoneNumbers": ["+12065550150", "+14155550150"]}
    creating = "CreateProxySession"
    for wrong in (
        {"Capabilities": []},
        {"ParticipantPhoneNumbers": ["+12065550150", "12065550150"]},
        {"GeoMatchParams": {"Country": "US", "AreaCode": "415"}},
    ):
        assert refusal(voice, creating, **proxied, **{**given, **wrong})[0] == "BadRequestException"
    putting = {"DefaultSessionExpiryMinutes": 10, "PhoneNumberPoolCountries": ["CA"]}
    voice.put_voice_connector_proxy(**proxied, **putting)
    assert refusal(voice, creating, **proxied, **given)[0] == "BadRequestException"
    voice.put_voice_connector_proxy(**proxied, **{**putting, "PhoneNumberPoolCountries": ["US"]}, Disabled=True)
    assert "disabled" in refusal(voice, creating, **proxied, **given)[1]
    assert (
        refusal(voice, "PutVoiceConnectorProxy", **proxied, **{**putting, "DefaultSessionExpiryMinutes": 0})[0]
        == "BadRequestException"
    )
    voice.delete_voice_connector_proxy(**proxied)
    assert refusal(voice, creating, **proxied, **given)[0] == "NotFoundException"


def test_a_toll_free_proxy_number_takes_no_texts(world, voice, proxied):
    for _ in range(3):
        proxy_of(voice, proxied)
    last = proxy_of(voice, proxied)
    assert number_in(last) == "+18005550100"
    named = {**proxied, "ProxySessionId": last["ProxySessionId"]}
    assert refusal(voice, "UpdateProxySession", **named, Capabilities=["SMS"])[0] == "BadRequestException"


@pytest.mark.parametrize(
    ("change", "result", "address"),
    [
        ({}, 0, {"streetName": "8th Avenue", **PLACE}),
        ({"StreetInfo": "8th Avenue N"}, 0, {"streetName": "8th Avenue", "streetSuffix": "N"}),
        ({"StreetInfo": "N. Third St."}, 0, {"streetName": "Third St.", "preDirectional": "N."}),
        ({"StreetInfo": "Central Park S. Unit A"}, 0, {"streetName": "Central Park", "postDirectional": "S. Unit A"}),
        ({"PostalCode": "98101-1234"}, 0, {"postalCode": "98101", "postalCodePlus4": "1234"}),
        ({"State": "washington"}, 1, {"state": "WA"}),
        ({"City": " Seattle "}, 1, {"city": "Seattle"}),
        ({"PostalCode": "981011234"}, 1, {"postalCode": "98101", "postalCodePlus4": "1234"}),
        ({"Country": "us"}, 1, {"country": "US"}),
    ],
)  # fmt: skip
def test_an_address_is_validated_or_corrected(voice, change, result, address):
    answer = voice.validate_e911_address(**{**ADDRESS, **change})
    assert (answer["ValidationResult"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (result, 202)
    assert {name: answer["Address"][name] for name in address} == address
    assert "CandidateAddressList" not in answer
    if not change:
        assert answer["Address"] == address
        assert voice.validate_e911_address(**ADDRESS)["AddressExternalId"] == answer["AddressExternalId"]
    else:
        plain = voice.validate_e911_address(**ADDRESS)
        same = answer["Address"] == plain["Address"]
        assert (answer["AddressExternalId"] == plain["AddressExternalId"]) is same


def test_an_address_in_the_wrong_state_has_candidates(voice):
    answer = voice.validate_e911_address(**{**ADDRESS, "State": "ME"})
    candidate = {"streetInfo": "8th Avenue", **PLACE}
    assert (answer["ValidationResult"], answer["CandidateAddressList"]) == (2, [candidate])
    assert not {"Address", "AddressExternalId"} & answer.keys()
    for wrong in ({"PostalCode": "981"}, {"PostalCode": "00000"}, {"StreetNumber": "main"}):
        answer = voice.validate_e911_address(**{**ADDRESS, **wrong})
        assert (answer["ValidationResult"], answer["CandidateAddressList"]) == (2, [])


def test_an_address_outside_the_united_states_and_of_another_account_is_refused(world, voice):
    assert refusal(voice, "ValidateE911Address", **{**ADDRESS, "Country": "DE"})[0] == "BadRequestException"
    assert refusal(voice, "ValidateE911Address", **{**ADDRESS, "AwsAccountId": SECOND})[0] == "ForbiddenException"
    with pytest.raises(voice.exceptions.ClientError, match="chime:ValidateE911Address"):
        world.client("chime-sdk-voice", "limited").validate_e911_address(**ADDRESS)


def test_the_regions_of_connectors(voice):
    # Amazon Chime SDK endpoints and quotas: ten Regions.
    assert sorted(voice.list_available_voice_connector_regions()["VoiceConnectorRegions"]) == [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-west-1",
        "eu-west-2",
        "us-east-1",
        "us-west-2",
    ]


def test_the_skills_of_an_application_are_gone(world, voice, analysis):
    """The model: this API is no longer available for use. It lists GoneException."""
    configuration = {"AlexaSkillStatus": "ACTIVE", "AlexaSkillIds": ["amzn1.application-oa2-client." + "0" * 32]}
    given = {"SipMediaApplicationAlexaSkillConfiguration": configuration}
    for operation, more in (
        ("GetSipMediaApplicationAlexaSkillConfiguration", {}),
        ("PutSipMediaApplicationAlexaSkillConfiguration", given),
    ):
        code, message = refusal(voice, operation, **analysis.application, **more)
        assert (code, "no longer available for use" in message) == ("GoneException", True)
        assert refusal(voice, operation, SipMediaApplicationId=NOBODY, **more)[0] == "NotFoundException"


def test_policies_name_the_connector_of_a_task_and_the_arn_of_a_profile(world, voice, analysis):
    profile = analysis.profile(analysis.search())
    other = analysis.profile(analysis.search(THERE))
    task = analysis.search()
    connector_arn = voice.get_voice_connector(**analysis.connector)["VoiceConnector"]["VoiceConnectorArn"]
    resources = [profile["VoiceProfileArn"], connector_arn]
    allow = {"Effect": "Allow", "Action": "chime:*", "Resource": resources}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    world.client("iam").put_user_policy(UserName="limited", PolicyName="one", PolicyDocument=policy)
    limited = world.client("chime-sdk-voice", "limited")
    assert limited.get_voice_profile(VoiceProfileId=profile["VoiceProfileId"])["VoiceProfile"] == profile
    assert limited.get_speaker_search_task(**analysis.connector, **task)
    for method, named in (
        ("get_voice_profile", {"VoiceProfileId": other["VoiceProfileId"]}),
        ("list_voice_profiles", analysis.domain),
        ("create_voice_profile", task),
        ("get_speaker_search_task", {**analysis.new_connector(), **task}),
    ):
        with pytest.raises(limited.exceptions.ClientError, match="not authorized to perform: chime:"):
            getattr(limited, method)(**named)
