"""Studies of the continuous warehouse: what rules, solved bins and learned policies earn against k."""
