"""What starts and looks after processes: up, the embedded queue, checks, migrations, the doctor."""
