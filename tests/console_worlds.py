"""Sandboxes that the tests of the console's pages share."""

from __future__ import annotations

# Two accounts: ways to administrator rights, an identity provider, a service, and a principal from outside.
HUB = "111122223333"
WORK = "444455556666"
GATEWAY = f"arn:aws:iam::{HUB}:role/gateway"
DEPLOY = f"arn:aws:iam::{HUB}:role/deploy"
BREAK_GLASS = f"arn:aws:iam::{WORK}:role/break-glass"
OPERATOR = f"arn:aws:iam::{WORK}:role/operations/chime-operator"
LIMITS = f"arn:aws:iam::{WORK}:policy/limits"
ANA = f"arn:aws:iam::{HUB}:user/ana"
ADMIN = f"arn:aws:iam::{HUB}:user/admin"
POWER = f"arn:aws:iam::{HUB}:user/power"
OPERATORS = f"arn:aws:iam::{HUB}:group/operators"
GITHUB = f"arn:aws:iam::{HUB}:oidc-provider/token.actions.githubusercontent.com"
TWO_ACCOUNTS = """
version: 1
identity_center: {users: [{name: ana}, {name: ben}]}
accounts:
  - id: "111122223333"
    name: hub
    users:
      - name: admin
        access_keys: [{id: test, secret: test}]
        attached_policies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
      - name: power
        attached_policies: ["arn:aws:iam::aws:policy/PowerUserAccess"]
      - name: ana
        tags: {team: core}
        access_keys: [{id: ana_key, secret: ana-secret}]
        groups: [operators]
        mfa_devices: [{name: phone, seed: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}]
    groups:
      - name: operators
        inline_policies:
          step-out:
            Version: "2012-10-17"
            Statement:
              Effect: Allow
              Action: ["sts:AssumeRole", "chime:ListUsers"]
              Resource: ["arn:aws:iam::111122223333:role/gateway", "arn:aws:iam::444455556666:role/*", "*"]
    oidc_providers:
      - {url: "https://token.actions.githubusercontent.com", client_ids: [sts.amazonaws.com], keys: rolecall}
    roles:
      - name: gateway
        trust_policy:
          Version: "2012-10-17"
          Statement: {Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:root"}, Action: "sts:AssumeRole"}
        inline_policies:
          go-on:
            Version: "2012-10-17"
            Statement: {Effect: Allow, Action: "sts:AssumeRole", Resource: "arn:aws:iam::444455556666:role/*"}
      - name: deploy
        trust_policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}
              Action: "sts:AssumeRoleWithWebIdentity"
              Condition:
                StringEquals: {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}
                StringLike: {"token.actions.githubusercontent.com:sub": "repo:octo-org/*"}
      - name: run
        trust_policy:
          Version: "2012-10-17"
          Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
      - name: partner
        trust_policy:
          Version: "2012-10-17"
          Statement:
            Effect: Allow
            Principal: {AWS: "arn:aws:iam::999900001111:root"}
            Action: "sts:AssumeRole"
            Condition: {StringEquals: {"sts:ExternalId": "x-1"}}
  - id: "444455556666"
    name: workload
    policies:
      - name: limits
        document:
          Version: "2012-10-17"
          Statement:
            - {Effect: Allow, Action: "chime:*", Resource: "*"}
            - {Effect: Deny, Action: "chime:DeleteAccount", Resource: "*"}
    roles:
      - name: chime-operator
        path: /operations/
        permissions_boundary: arn:aws:iam::444455556666:policy/limits
        trust_policy:
          Version: "2012-10-17"
          Statement: {Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/ana"}, Action: "sts:AssumeRole"}
        attached_policies: ["arn:aws:iam::aws:policy/AmazonChimeFullAccess"]
      - name: break-glass
        trust_policy:
          Version: "2012-10-17"
          Statement:
            - Sid: Nobody
              Effect: Deny
              Principal: {AWS: "arn:aws:iam::111122223333:user/ana"}
              Action: "sts:AssumeRole"
            - Sid: OnlyGateway
              Effect: Allow
              Principal: {AWS: "arn:aws:iam::111122223333:role/gateway"}
              Action: "sts:AssumeRole"
              Condition: {StringEquals: {"sts:ExternalId": "really"}}
        attached_policies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
"""
