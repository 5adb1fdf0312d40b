"""Subjects: the certificates that asked for a session. CreateSession records them."""

from __future__ import annotations

from rolecall.delivery.anywhere.contents import SUBJECT
from rolecall.services.kinds import RESOURCE_NOT_FOUND, kind_with_arn
from rolecall.services.rolesanywhere.common import SERVICE
from rolecall.services.rolesanywhere.verbs import get, list_

SUBJECTS = kind_with_arn(SERVICE, SUBJECT, "subjectId", identified_by="subjectId", absent_code=RESOURCE_NOT_FOUND)

get(SUBJECTS, "GetSubject")
list_(SUBJECTS, "ListSubjects")
