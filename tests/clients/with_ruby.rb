# One call by the SDK for Ruby for each line on standard input. Debian's version knows no AWS_ENDPOINT_URL_STS.
require "aws-sdk-core"

$stdout.sync = true
Aws.config.update(%i[sts sso ssooidc].to_h { |service| [service, { endpoint: ENV.fetch("AWS_ENDPOINT_URL_STS") }] })
sts = nil
$stdin.each_line do
  sts ||= Aws::STS::Client.new
  arn = sts.get_caller_identity.arn
  sts.assume_role(role_arn: ENV.fetch("TARGET"), role_session_name: "matrix")
  puts "#{arn} ok"
rescue Aws::Errors::ServiceError => e
  puts "- #{e.code} #{e.message.inspect}"
rescue StandardError => e
  puts "- #{e.class} #{e.message.inspect}"
end
