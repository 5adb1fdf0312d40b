"""EKS Auth: the service that the agent of EKS Pod Identity asks for the credentials of a pod."""
