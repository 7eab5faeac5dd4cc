// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.cli.output.CommandFailure;
import io.jvfio.linux.Errno;
import io.jvfio.linux.LinuxKernel;
import java.util.BitSet;
import java.util.stream.Collectors;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Processors by their numbers, as {@code taskset} takes them. */
final class Processors {
  /** More than any kernel is built for. */
  private static final int MOST = 8192;

  private Processors() {}

  /** The calling thread as it was before it was bound. */
  interface Bound extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Binds the calling thread, and with it all threads that it starts.
   *
   * @return what undoes it, for the calling thread
   * @throws CommandFailure if this process has none of them
   */
  static Bound bind(BitSet processors) {
    var kernel = LinuxKernel.instance();
    var before = kernel.processors();
    int result = kernel.setProcessors(processors);
    if (result < 0) {
      throw new CommandFailure(
          "--cpus: this process may run on the processors %s, and on none of %s (%s)"
              .formatted(text(before), text(processors), Errno.ofResult(result).symbol()));
    }
    return () -> kernel.setProcessors(before);
  }

  /** Such as {@code 0-3,8}. */
  static String text(BitSet processors) {
    return processors.stream()
        .filter(each -> each == 0 || !processors.get(each - 1))
        .mapToObj(
            first -> {
              int last = processors.nextClearBit(first) - 1;
              return first == last ? Integer.toString(first) : first + "-" + last;
            })
        .collect(Collectors.joining(","));
  }

  /** Reads {@code 0-3,8}. */
  static final class Converter implements ITypeConverter<BitSet> {
    @Override
    public BitSet convert(String text) {
      var processors = new BitSet();
      for (var part : text.split(",", -1)) {
        int dash = part.indexOf('-');
        int first = number(dash < 0 ? part : part.substring(0, dash), text);
        int last = dash < 0 ? first : number(part.substring(dash + 1), text);
        if (last < first) {
          throw wrong(text);
        }
        processors.set(first, last + 1);
      }
      return processors;
    }

    private static int number(String digits, String text) {
      try {
        int number = Integer.parseInt(digits);
        if (number >= 0 && number < MOST) {
          return number;
        }
      } catch (NumberFormatException _) {
        // As any other that is none.
      }
      throw wrong(text);
    }

    private static TypeConversionException wrong(String text) {
      return new TypeConversionException("'" + text + "' are no processors such as 0-3,8");
    }
  }
}
