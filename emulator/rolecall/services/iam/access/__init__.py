"""What principals may use and what they used: reports of last accesses, and policies that grant a service."""
