// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NvmeStatusExceptionTest {
  @Test
  void namesCommandSubjectAndStatus() {
    var e = new NvmeStatusException("Write", "namespace 1 of 0000:01:00.0", 0x4080);

    assertThat(e)
        .hasMessage(
            "Write of namespace 1 of 0000:01:00.0 failed: LBA Out of Range"
                + " (status type 0x0, code 0x80, do not retry)");
    assertThat(e.command()).isEqualTo("Write");
    assertThat(e.subject()).isEqualTo("namespace 1 of 0000:01:00.0");
    assertThat(e.doNotRetry()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "0x0004, 0, 4, Data Transfer Error",
    "0x0101, 1, 1, Invalid Queue Identifier",
    "0x0281, 2, 129, Unrecovered Read Error",
    "0x2285, 2, 133, Compare Failure", // with More
    "0x00c7, 0, 199, Generic Command Status",
    "0x01c7, 1, 199, Command Specific Status",
    "0x0305, 3, 5, Path Related Status",
    "0x0701, 7, 1, Vendor Specific Status",
    "0x0501, 5, 1, Reserved Status"
  })
  void tellsTypeCodeAndNameApart(String status, int type, int code, String name) {
    var e = new NvmeStatusException("Read", "x", Integer.decode(status));

    assertThat(e.statusType()).isEqualTo(type);
    assertThat(e.statusCode()).isEqualTo(code);
    assertThat(e.statusName()).isEqualTo(name);
    assertThat(e.doNotRetry()).isFalse();
    assertThat(e).hasMessageEndingWith("(status type 0x%x, code 0x%02x)".formatted(type, code));
  }
}
