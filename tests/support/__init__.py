"""What tests start and steer: processes, databases, the queue's server, the clock."""
