// One call by the SDK for Go v2 for each line on standard input. Debian's version knows no AWS_ENDPOINT_URL_STS.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func call(client *sts.Client) (string, error) {
	caller, err := client.GetCallerIdentity(context.TODO(), &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	_, err = client.AssumeRole(context.TODO(), &sts.AssumeRoleInput{
		RoleArn: aws.String(os.Getenv("TARGET")), RoleSessionName: aws.String("matrix")})
	return *caller.Arn, err
}

func main() {
	resolver := aws.EndpointResolverWithOptionsFunc(
		func(service, region string, options ...interface{}) (aws.Endpoint, error) {
			return aws.Endpoint{URL: os.Getenv("AWS_ENDPOINT_URL_STS"), HostnameImmutable: true, SigningRegion: region}, nil
		})
	configuration, err := config.LoadDefaultConfig(context.TODO(), config.WithEndpointResolverWithOptions(resolver))
	if err != nil {
		fmt.Printf("- Configuration %q\n", err.Error())
		return
	}
	client := sts.NewFromConfig(configuration)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		arn, err := call(client)
		var refused smithy.APIError
		switch {
		case err == nil:
			fmt.Println(arn, "ok")
		case errors.As(err, &refused):
			fmt.Println("-", refused.ErrorCode(), fmt.Sprintf("%q", refused.ErrorMessage()))
		default:
			fmt.Printf("- Failed %q\n", err.Error())
		}
	}
}
