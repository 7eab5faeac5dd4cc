// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.gpio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.model.Bar;
import io.jvfio.model.ModelHost;
import io.jvfio.model.ResetReason;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class GpioModelTest {
  private final GpioModel gpio = new GpioModel();
  private final ModelHost host = new ModelHost(gpio);

  private long read(long offset) {
    return gpio.read(2, offset, 1);
  }

  private void write(long offset, long value) {
    gpio.write(2, offset, 1, value);
  }

  @Test
  void isACardOfIoPorts() {
    assertThat(gpio.config().read(0, 4)).isEqualTo(0x0dc8_494f);
    assertThat(gpio.bars()).containsExactly(Bar.ports(2, 8));
    assertThat(gpio.config().read(0x18, 4)).isEqualTo(1);
    gpio.config().write(0x18, 4, -1);
    assertThat(gpio.config().read(0x18, 4)).as("its size").isEqualTo(-7);
    assertThat(gpio.config().read(0x3d, 1)).isEqualTo(1);
  }

  @Test
  void tellsOfEachOutputThatChanges() {
    List<String> heard = new ArrayList<>();
    gpio.onOutput((line, value) -> heard.add(line + (value ? " on" : " off")));

    write(0, 0x81);
    write(4, 0x02);
    write(0, 0x01);
    write(0, 0x01);
    assertThat(heard).containsExactly("0 on", "7 on", "9 on", "7 off");
    assertThat(read(0)).isEqualTo(0x01);
    assertThat(read(4)).isEqualTo(0x02);
    assertThat(gpio.output(9)).isTrue();
    assertThat(gpio.output(7)).isFalse();
  }

  @Test
  void showsItsInputs() {
    gpio.setInput(0, true);
    gpio.setInput(7, true);
    gpio.setInput(15, true);
    assertThat(read(1)).isEqualTo(0x81);
    assertThat(read(5)).isEqualTo(0x80);
    gpio.setInput(7, false);
    assertThat(read(1)).isEqualTo(0x01);
    assertThat(gpio.input(15)).isTrue();
    assertThat(gpio.input(7)).isFalse();
    write(5, 0xff);
    assertThat(read(5)).isEqualTo(0x80);
  }

  @Test
  void interruptsWhenAnInputChangesUntilThatIsCleared() {
    read(2);
    gpio.setInput(3, true);
    assertThat(host.requests).isEqualTo(1);
    assertThat(host.journal).isEmpty();
    host.poll();
    assertThat(host.takeJournal()).containsExactly("line up");
    assertThat(read(6)).isEqualTo(0x5);

    gpio.setInput(12, true);
    host.poll();
    assertThat(read(6)).isEqualTo(0x7);
    write(1, 0);
    assertThat(read(6)).isZero();
    assertThat(host.takeJournal()).containsExactly("line down");
    gpio.setInput(12, false);
    host.poll();
    assertThat(read(6)).isEqualTo(0x6);
  }

  @Test
  void hearsOfAPulseThatIsOverBeforeItIsPolled() {
    read(2);
    gpio.setInput(8, true);
    gpio.setInput(8, false);
    host.poll();
    assertThat(read(6)).isEqualTo(0x6);
    assertThat(read(5)).isZero();
  }

  @Test
  void asksForNothingWhenAnInputStaysAsItIs() {
    gpio.setInput(4, false);
    assertThat(host.requests).isZero();
  }

  @Test
  void keepsQuietWhileItsInterruptIsOff() {
    gpio.setInput(1, true);
    host.poll();
    read(2);
    assertThat(host.takeJournal()).as("what changed before does not count").isEmpty();

    gpio.setInput(1, false);
    host.poll();
    write(2, 0);
    assertThat(host.takeJournal()).containsExactly("line up", "line down");
    read(2);
    assertThat(host.takeJournal()).as("it was not cleared").containsExactly("line up");
  }

  @Test
  void hasFiltersAsRegisters() {
    write(7, 0x5a);
    assertThat(read(7)).isEqualTo(0x5a);
    read(3);
    assertThat(read(7)).isEqualTo(0xff);
    write(3, 0);
    assertThat(read(7)).isZero();
  }

  @Test
  void turnsItsOutputsOffAtAResetAndLeavesInputsAlone() {
    List<Integer> heard = new ArrayList<>();
    write(0, 0xff);
    write(4, 0x80);
    gpio.setInput(2, true);
    read(2);
    gpio.setInput(3, true);
    host.poll();
    gpio.onOutput((line, _) -> heard.add(line));

    gpio.reset(ResetReason.CLIENT_LOST);
    assertThat(heard).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 15);
    assertThat(read(1)).isEqualTo(0x0c);
    assertThat(read(6)).isZero();
    assertThat(host.takeJournal()).containsExactly("line up", "line down");
  }

  @Test
  void hasNoSuchLine() {
    assertThatIllegalArgumentException().isThrownBy(() -> gpio.setInput(16, true));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> gpio.output(-1))
        .withMessage("lines are 0 to 15, there is none of number -1");
  }

  @Test
  void takesInputsFromAnyThread() throws InterruptedException {
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < GpioModel.LINES; i++) {
      int line = i;
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int j = 0; j < 1001; j++) {
                      gpio.setInput(line, (j & 1) == 0);
                    }
                  }));
    }
    for (var thread : threads) {
      thread.join();
    }
    assertThat(gpio.read(2, 0, 8) >>> 8 & 0xff).isEqualTo(0xff);
    assertThat(read(5)).isEqualTo(0xff);
  }
}
