# For lfset-rules.yml: seconds for minutes, kilobytes for megabytes. To see the alerts fire, not to be used.
s/\[14m\]/[2s]/g
s/offset 15m/offset 3s/
s/offset 30m/offset 6s/
s/^\( *for:\) .*/\1 1s/
s/1048576/1024/
s/67108864/65536/
