// SPDX-License-Identifier: Apache-2.0
package io.jvfio.junit;

import io.jvfio.sim.SimulatedHosts;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContextProvider;
import org.junit.platform.commons.support.AnnotationSupport;

/** Has a test run once on each of its hosts. */
final class SimulatedHostExtension implements TestTemplateInvocationContextProvider {
  SimulatedHostExtension() {}

  @Override
  public boolean supportsTestTemplate(ExtensionContext context) {
    return true;
  }

  @Override
  public Stream<TestTemplateInvocationContext> provideTestTemplateInvocationContexts(
      ExtensionContext context) {
    var test =
        AnnotationSupport.findAnnotation(context.getRequiredTestMethod(), SimulatedHostTest.class)
            .orElseThrow();
    boolean isOfAll = test.value().length == 0;
    var names = isOfAll ? SimulatedHosts.names() : List.of(test.value());
    return names.stream().map(name -> new OnOneHost(name, isOfAll, List.of(test.failing())));
  }

  private record OnOneHost(String name, boolean isOfAll, List<String> failing)
      implements TestTemplateInvocationContext {
    @Override
    public String getDisplayName(int index) {
      return HostOfATest.label(name);
    }

    @Override
    public List<Extension> getAdditionalExtensions() {
      return List.of(new HostOfATest(name, isOfAll, failing));
    }
  }
}
