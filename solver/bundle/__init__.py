"""What a solve leaves: the policy bundle, and all that a dispatcher decides with. Needs numpy alone."""
